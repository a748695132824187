"""Blobs of real skin: what is found, and how much of it is left."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.quality.blobs import Skin
from benchmarks.quality.real import fine_energy

SIDE, UNIT = 240, 3.0


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    """Skin-coloured, with fine noise as a camera's."""
    rng = np.random.default_rng(2)
    skin = np.empty((SIDE, SIDE, 3), np.float32)
    skin[:] = (205, 160, 140)
    return skin + rng.normal(0, 1.5, skin.shape).astype(np.float32)


@pytest.fixture(scope="module")
def skin() -> Skin:
    where = np.zeros((SIDE, SIDE), np.float32)
    where[10:-10, 10:-10] = 1.0
    return Skin(where, UNIT)


def spotted(plain: np.ndarray, colour: tuple[float, ...], x: int = 120, y: int = 100) -> np.ndarray:
    """With a soft dot of about 2 units radius, `colour` added in its middle."""
    ys, xs = np.mgrid[:SIDE, :SIDE]
    dot = np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * 4.0**2))
    return (plain + dot[..., None] * np.array(colour)).astype(np.float32)


def test_plain_skin_has_no_blobs(skin: Skin, plain: np.ndarray) -> None:
    assert skin.find(plain) == []


@pytest.mark.parametrize(
    ("channel", "colour"), [("dark", (-60.0, -60.0, -60.0)), ("red", (14.0, -18.0, -8.0))]
)
def test_a_mole_and_a_pimple_are_found_where_they_are(
    skin: Skin, plain: np.ndarray, channel: str, colour: tuple[float, ...]
) -> None:
    found = skin.find(spotted(plain, colour))
    assert [blob.channel for blob in found] == [channel]
    assert abs(found[0].x - 120) <= 2 and abs(found[0].y - 100) <= 2


def test_a_line_is_no_blob(skin: Skin, plain: np.ndarray) -> None:
    lined = plain.copy()
    cv2.line(lined, (60, 60), (180, 90), (150.0, 110.0, 95.0), 5, cv2.LINE_AA)
    middle = [b for b in skin.find(lined) if 75 < b.x < 165]  # its ends are round
    assert middle == []


def test_what_is_not_skin_is_not_looked_at(skin: Skin, plain: np.ndarray) -> None:
    assert skin.find(spotted(plain, (-60.0,) * 3, x=4, y=4)) == []


def test_stubble_is_no_blemish(skin: Skin, plain: np.ndarray) -> None:
    rng = np.random.default_rng(3)
    bearded = plain.copy()
    for x, y in rng.integers((20, 160), (220, 225), (900, 2)):
        cv2.circle(bearded, (int(x), int(y)), 1, (110.0, 80.0, 70.0), -1, cv2.LINE_AA)
    assert [b for b in skin.find(bearded) if b.y > 175] == []


def test_energy_is_gone_with_the_blob_and_halved_in_amplitude_is_a_quarter(
    skin: Skin, plain: np.ndarray
) -> None:
    source = spotted(plain, (-60.0,) * 3)
    blobs = skin.find(source)
    there = skin.energy(source, blobs)
    assert skin.energy(plain, blobs) < 0.01 * there
    assert skin.energy(spotted(plain, (-30.0,) * 3), blobs) == pytest.approx(there / 4, rel=0.25)


def test_a_blob_that_became_a_light_spot_still_has_energy(skin: Skin, plain: np.ndarray) -> None:
    source = spotted(plain, (-40.0,) * 3)
    blobs = skin.find(source)
    light = spotted(plain, (40.0,) * 3)
    assert skin.energy(light, blobs) > 0.5 * skin.energy(source, blobs)


def test_clear_skin_leaves_out_rim_and_blobs(skin: Skin, plain: np.ndarray) -> None:
    clear = skin.clear(skin.find(spotted(plain, (-60.0,) * 3)))
    assert not clear[100, 120] and not clear[12, 120]
    assert clear[160, 60]


def test_texture_that_is_halved_has_a_quarter_of_the_energy(plain: np.ndarray) -> None:
    where = np.ones((SIDE, SIDE), bool)
    middle = np.array((205, 160, 140), np.float32)
    halved = middle + (plain - middle) / 2
    assert fine_energy(halved, where) / fine_energy(plain, where) == pytest.approx(0.25, rel=1e-3)
