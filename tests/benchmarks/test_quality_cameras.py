"""Other people's cameras: what they make of a scene, and how the figures are told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from benchmarks.quality import cameras  # noqa: E402
from tests.benchmarks.quality_scenes import MOLE, scene  # noqa: E402
from tests.benchmarks.test_quality_paired import Lifting  # noqa: E402


def test_a_camera_makes_source_and_target_up_alike() -> None:
    grey = scene()
    tint = np.array((1.2, 1.0, 0.8))
    clean, source, target = (
        (picture * tint).astype(np.uint8) for picture in (grey.clean, grey.source, grey.target)
    )
    box = (0, 0, cameras.FACE_PX)
    plain = replace(grey, clean=clean, source=source, target=target, box=box)
    for name, camera in cameras.CAMERAS.items():
        seen = cameras.seen_by(camera, plain)
        assert seen.source.dtype == np.uint8 and seen.source.shape == plain.source.shape
        assert np.array_equal(seen.source[32:], seen.target[32:])
        assert not np.array_equal(seen.source[MOLE], seen.target[MOLE])
        assert np.array_equal(seen.source, plain.source) == (name == "as it is")


def test_each_camera_does_what_its_name_says() -> None:
    rng = np.random.default_rng(1)
    skin = np.array((0.7, 0.5, 0.4), np.float32) + rng.normal(0, 0.02, (64, 64, 1))
    skin = skin.astype(np.float32)

    def through(name: str) -> np.ndarray:
        return cameras.CAMERAS[name](skin, cameras.FACE_PX)

    assert through("edges drawn after").std(axis=(0, 1))[0] > 1.2 * skin.std(axis=(0, 1))[0]
    assert through("more contrast").std(axis=(0, 1))[0] > skin.std(axis=(0, 1))[0]
    apart = [
        np.ptp(through(n).mean((0, 1))) for n in ("pale colours", "as it is", "strong colours")
    ]
    assert apart == sorted(apart)
    red, blue = (through(n).mean((0, 1)) / skin.mean((0, 1)) for n in ("warm light", "cold light"))
    assert red[0] > 1 > red[2] and blue[0] < 1 < blue[2]
    assert (through("grain") - skin).std() * 255 == pytest.approx(4.0, rel=0.01)


def test_figures_are_those_of_the_benchmark() -> None:
    found = cameras.figures(Lifting(0.5), [scene(), scene()])
    assert found["masked_psnr_gain_db"] == pytest.approx(20 * np.log10(2), abs=0.1)
    assert found["named_removed"] == pytest.approx(0.5, abs=0.01)
    assert found["clean_psnr_db"] == 99.0


def test_the_table_sets_networks_side_by_side() -> None:
    figures = cameras.figures(Lifting(0.5), [scene()])
    text = cameras.table({"a": {"as it is": figures}, "b": {"as it is": figures}})
    assert text.splitlines()[0].count("gain dB") == 2
    assert text.splitlines()[2].count(f"{figures['masked_psnr_gain_db']}") == 2


def test_weights_that_are_not_there_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cameras.main(["no.safetensors", "--shared", "nowhere"]) == 1
    assert "benchmarks.quality.cameras:" in capsys.readouterr().err
