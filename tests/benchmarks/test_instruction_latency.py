"""From words to picture: the 10 % rule, how a change is seen in a picture, and the figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from benchmarks.instruction_latency import measured, report
from benchmarks.instruction_latency.measured import NOT_APPLIED, REFUSED
from benchmarks.instruction_latency.seen import CELL, Change, Looks, cells
from benchmarks.instruction_latency.shown import TOO_FEW, UNCLEAR, Curve, shown
from benchmarks.instruction_latency.talking import (
    ASKS,
    RESET,
    SETTLE_S,
    Said,
    Talk,
    script,
    told,
)
from benchmarks.light_client import Recording, ReturnedFrame

FPS = 30.0


def faded(begin_s: float, *, start: float = 0.0, end: float = 1.0, noise: float = 0.0) -> Curve:
    """A fade of 0.3 s from `begin_s` on, 30 frames a second, the next text after 1.2 s."""
    times = np.arange(-15, 36) / FPS + 0.001
    share = np.clip((times - begin_s) / 0.3, 0.0, 1.0)
    levels = start + share * (end - start)
    return Curve(times, levels + np.random.default_rng(1).normal(0, noise, len(times)), 1.2)


# The 10 % rule


@pytest.mark.parametrize("begin_s", [0.05, 0.1, 0.15])
def test_the_first_frame_with_a_tenth_of_the_change_counts(begin_s: float) -> None:
    curve = faded(begin_s)
    tenth = curve.times_s[curve.times_s >= begin_s + 0.03][0]
    assert shown(curve).ms == pytest.approx(tenth * 1000)


def test_any_unit_and_either_direction_give_the_same() -> None:
    assert shown(faded(0.1, start=40.0, end=-7.0)).ms == shown(faded(0.1)).ms


def test_the_order_of_the_frames_does_not_matter() -> None:
    curve = faded(0.1, noise=0.01)
    mixed = np.random.default_rng(2).permutation(len(curve.times_s))
    straight = shown(curve).shares
    other = shown(Curve(curve.times_s[mixed], curve.levels[mixed], curve.until_s))
    assert other.ms == shown(curve).ms
    assert other.shares is not None and straight is not None
    np.testing.assert_allclose(other.shares, straight[mixed])


def test_a_change_below_the_noise_is_not_counted() -> None:
    assert shown(faded(0.1, noise=0.1)).why_not == UNCLEAR
    assert shown(faded(0.1, noise=0.02)).ms is not None
    assert shown(faded(0.1, end=0.0)).why_not == UNCLEAR


def test_without_steady_frames_on_both_ends_nothing_is_said() -> None:
    curve = faded(0.1)
    after = curve.times_s > 0
    early = curve.times_s < 0.7
    for keep in (after, early):
        part = Curve(curve.times_s[keep], curve.levels[keep], curve.until_s)
        assert shown(part).why_not == TOO_FEW
    assert shown(Curve(np.empty(0), np.empty(0), 1.2)).why_not == TOO_FEW


# Seen in pictures


def picture(number: int, share: float, noise: np.random.Generator | None = None) -> np.ndarray:
    """A scene that changes in its middle, and moves on with its number."""
    whole = np.full((3, 12, 16), 90.0) + number
    whole[0, 4:8, 5:9] += 6.0 * share
    whole[2, 4:8, 5:9] -= 3.0 * share
    if noise is not None:
        whole += noise.normal(0, 0.3, whole.shape)
    return whole.astype(np.float16)


def known(noise: np.random.Generator | None = None) -> Looks:
    looks = Looks()
    for number in range(20):
        looks.add("off", number, picture(number, 0.0, noise))
        looks.add("on", number, picture(number, 1.0, noise))
    return looks


def test_a_picture_on_half_the_way_shows_half_of_the_change_in_either_direction() -> None:
    looks = known()
    for number in (0, 7, 19):
        half = picture(number, 0.5)
        assert Change(looks, "off", "on").level(number, half) == pytest.approx(0.5, abs=0.01)
        assert Change(looks, "on", "off").level(number, half) == pytest.approx(0.5, abs=0.01)
    assert Change(looks, "off", "on").codes() == pytest.approx(9.0, abs=0.1)


def test_noise_of_pictures_and_references_hardly_moves_a_level() -> None:
    noise = np.random.default_rng(4)
    change = Change(known(noise), "off", "on")
    levels = [change.level(n, picture(n, 0.25, noise)) for n in range(20)]
    assert np.std([v for v in levels if v is not None]) < 0.03
    assert np.mean([v for v in levels if v is not None]) == pytest.approx(0.25, abs=0.03)


def test_a_frame_that_is_not_known_under_both_looks_has_no_level() -> None:
    looks = known()
    looks.add("off", 99, picture(99, 0.0))
    change = Change(looks, "off", "on")
    assert change.level(99, picture(99, 0.0)) is None
    assert change.level(500, picture(0, 0.0)) is None
    assert Change(looks, "off", "never").level(3, picture(3, 0.0)) is None
    assert Change(looks, "off", "never").codes() == 0.0


def test_cells_are_means_of_all_three_planes() -> None:
    planes = np.full((96 * 3 // 2, 128), 128, np.uint8)
    planes[:96] = 50
    planes[:CELL, :CELL] = np.repeat([40, 60], CELL // 2)
    found = cells(av.VideoFrame.from_ndarray(planes, format="yuv420p"))
    assert found.shape == (3, 12, 16)
    assert np.all(found[0] == 50) and np.all(found[1:] == 128)


# The talk


def test_every_ask_is_followed_by_a_reset_and_its_look_before_is_known() -> None:
    said = list(script(ASKS, 9))
    assert [text for _, text in said[1::2]] == [RESET] * 4
    assert [text for _, text in said[::2]] == [*ASKS, *ASKS][:5]
    assert all(before == earlier for (before, _), (_, earlier) in zip(said[1:], said, strict=False))


def test_messages_of_one_text_are_told_from_those_of_others() -> None:
    said = Said(RESET, "remove the redness", 1.0)
    other = {"type": "plan", "id": "text-1", "version": 3, "at": 1.1}
    early = {"type": "applied", "version": 3, "took_ms": 5.0, "at": 1.2}
    own = {"type": "plan", "id": "text-2", "version": 4, "at": 1.3}
    assert not told(said, "text-2", [other, early, own])
    late = {"type": "applied", "version": 4, "took_ms": 90.0, "at": 1.4}
    assert told(said, "text-2", [other, early, own, late])
    assert (said.planned, said.applied, said.took_ms) == (1.3, 1.4, 90.0)
    refused = Said(RESET, "x", 1.0)
    assert told(refused, "text-3", [{"type": "rejected", "id": "text-3", "at": 2.0}])
    assert refused.refused


# The figures


def made_up() -> Talk:
    """Two looks over 20 frames of a clip; three texts: one on, one refused, one never applied."""
    returned: list[ReturnedFrame] = []
    pictures: dict[int, Any] = {}

    def came(at: float, share: float) -> None:
        count = len(returned)
        returned.append(ReturnedFrame(3000 * count, count % 20, at))
        pictures[3000 * count] = picture(count % 20, share)

    for i in range(40):
        came(i / FPS, 1.0)
    for i in range(40, 135):
        at = i / FPS
        came(at, float(np.clip((at - 3.1) / 0.3, 0.0, 1.0)))
    shows = [
        Said(RESET, ASKS[0], 0.0, applied=-SETTLE_S, until=39.5 / FPS),
        Said(ASKS[0], RESET, 1.3, applied=39.5 / FPS - SETTLE_S, until=2.5),
    ]
    said = [
        Said(RESET, ASKS[0], 3.0, 4.2, planned=3.05, applied=3.12, took_ms=115.0),
        Said(ASKS[0], RESET, 4.3, 4.4, refused=True),
        Said(ASKS[0], RESET, 4.4, 4.5),
    ]
    recording = Recording(3.0, 4.5, [], returned, [], 0)
    return Talk(recording, shows, said, pictures)


def test_a_run_is_counted_and_what_is_not_counted_has_a_reason() -> None:
    found = measured.figures(measured.measured(made_up()))
    assert found["counted"] == 1 and found["asked"] == 3
    assert found["not_counted"] == {REFUSED: 1, NOT_APPLIED: 1}
    assert found["p50_ms"] == found["p95_ms"] == pytest.approx(133.3, abs=0.1)
    assert found["holds"] == {"p50_ms": True, "p95_ms": True}
    assert found["parts_ms"]["understood"]["p50"] == pytest.approx(50.0)
    assert found["parts_ms"]["begun"]["p50"] == pytest.approx(70.0)
    assert found["parts_ms"]["grown"]["p50"] == pytest.approx(13.33, abs=0.1)
    assert found["parts_ms"]["took"]["p50"] == 115.0
    assert found["by_text"][RESET]["counted"] == 0


def test_nothing_counted_is_no_figure_and_no_verdict() -> None:
    found = measured.figures([])
    assert found["p50_ms"] is None and found["holds"] == {} and found["counted"] == 0


def test_the_result_file_shows_tables_and_json(tmp_path: Path) -> None:
    runs = measured.measured(made_up())
    found: dict[str, Any] = {
        **measured.figures(runs),
        "video": {"fps": 29.9, "added_ms": {"p50": 20.0, "p95": None}},
        "camera_fps": 30,
        "size": "1280x720",
        "hardware": "none",
        "versions": {"python": "3"},
    }
    path = report.write(tmp_path / "deep" / "r.md", "the command", found, runs)
    text = path.read_text()
    assert "the command" in text and "| `p50_ms` | 133.3 | <= 200 | yes |" in text
    assert f"1 not: {REFUSED}" in text and "29.9 frames a second of 30" in text
    assert json.loads(text.split("```json\n")[1].split("```")[0])["asked"] == 3
