"""GPU engines in the cache folder: whole, for this machine, or refused by what differs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

from engines import gpu
from engines.batch_sizes import batch_sizes
from engines.built import BuiltEngine, find, store
from engines.compiled import build_gpu
from engines.gpu_cache import built, cpu_name, identity
from engines.manifest import EngineIdentity
from engines.parity import Bounds
from engines.retouchgpt import checkpoint
from engines.tensorrt_build import TensorRTMaker
from stream_retouch.errors import EngineError, EngineMismatch
from tests.engines import fake_gpu
from tests.engines.fake_gpu import H200, CpuDevice, FakeTensorRT

ANY = Bounds(0, 0, 0)


@pytest.fixture
def trt(weights: Path) -> FakeTensorRT:
    return FakeTensorRT(fake_gpu.network(checkpoint.load(weights)))


def goal(weights: Path, most: int) -> EngineIdentity:
    return identity("tensorrt", "tensorrt 11.0.0.114", H200, weights, max_batch=most)


def maker(trt: FakeTensorRT, folder: Path) -> TensorRTMaker:
    told: list[str] = []
    return TensorRTMaker(trt, CpuDevice(), H200, folder, told.append, as_onnx=fake_gpu.plain)


@pytest.fixture
def kept(weights: Path, trt: FakeTensorRT, tmp_path: Path) -> tuple[BuiltEngine, Path]:
    folder = tmp_path / "cache"
    wanted = goal(weights, 2)
    found = build_gpu(weights, wanted, maker(trt, folder), lambda line: None, bounds=ANY)
    store(found, folder)
    return found, folder


@pytest.mark.parametrize(
    ("field", "other", "told"),
    [
        ("gpu", "NVIDIA L4", "built for gpu NVIDIA H200 but this is NVIDIA L4"),
        ("gpu_capability", "8.9", "built for gpu_capability 9.0 but this is 8.9"),
        ("driver", "590.1", "built for driver 580.95.05 but this is 590.1"),
        ("cuda", "13.2", "built for cuda 13.0 but this is 13.2"),
        ("runtime", "tensorrt 11.4.0.106", "built for runtime tensorrt 11.0.0.114 but this"),
        ("code_sha256", "0" * 64, "built for code_sha256 "),
    ],
)
def test_an_engine_of_another_machine_is_refused_by_the_field(
    kept: tuple[BuiltEngine, Path], field: str, other: str, told: str
) -> None:
    expected = replace(kept[0].manifest.identity, **{field: other})
    with pytest.raises(EngineMismatch, match=told) as caught:
        built(expected, kept[1], None)
    assert caught.value.field == field
    assert str(caught.value).endswith("run python -m engines.build")


def test_the_largest_batch_is_as_built_unless_it_is_asked_for(
    kept: tuple[BuiltEngine, Path], weights: Path
) -> None:
    expected = goal(weights, 64)
    assert built(expected, kept[1], None).manifest.identity.max_batch == 2
    with pytest.raises(EngineMismatch, match="max_batch 2 but this is 8"):
        built(expected, kept[1], 8)


@pytest.mark.parametrize("ending", [".b1.plan", ".b2.plan"])
def test_a_plan_that_is_cut_short_or_gone_is_noticed(
    kept: tuple[BuiltEngine, Path], ending: str
) -> None:
    (victim,) = kept[1].glob(f"*{ending}")
    victim.write_bytes(victim.read_bytes()[:-1])
    with pytest.raises(EngineError, match="is damaged; build again with python -m engines.build"):
        find(kept[1], kept[0].manifest.identity)
    victim.unlink()
    with pytest.raises(EngineError, match="is missing; build again with python -m engines.build"):
        find(kept[1], kept[0].manifest.identity)


def test_a_build_with_fewer_batch_sizes_takes_the_others_away(
    kept: tuple[BuiltEngine, Path], weights: Path, trt: FakeTensorRT
) -> None:
    less = build_gpu(weights, goal(weights, 1), maker(trt, kept[1]), lambda line: None, bounds=ANY)
    store(less, kept[1])
    assert len(list(kept[1].glob("*.plan"))) == len(batch_sizes(1))
    assert len(list(kept[1].glob("*.timings"))) == 1


def test_an_engine_that_was_never_built_is_told_with_the_command(
    weights: Path, tmp_path: Path
) -> None:
    remedy = "python -m engines.build --engine tensorrt --size 256"
    with pytest.raises(EngineError, match=f"has not been built for this machine; {remedy}"):
        built(goal(weights, 4), tmp_path, None)


def test_the_drivers_version_is_read_from_what_linux_shows(tmp_path: Path) -> None:
    shown = tmp_path / "version"
    for line in (
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue Sep 23 10:11:16 UTC 2025",
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build",
    ):
        shown.write_text(line)
        assert gpu.driver(shown) == "580.95.05"
    assert gpu.driver(tmp_path / "none") != ""


def test_the_cpus_name_is_read_from_what_linux_shows(tmp_path: Path) -> None:
    shown = tmp_path / "cpuinfo"
    shown.write_text("processor\t: 0\nmodel name\t: A CPU @ 2 GHz\nflags\t: avx\n")
    assert cpu_name(shown) == "A CPU @ 2 GHz"
    assert cpu_name(tmp_path / "none") != ""
