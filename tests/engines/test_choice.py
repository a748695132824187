"""Which engine is taken, and why."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from engines import choice
from engines.batching import Overlapping
from engines.choice import Loader, best, following, guard, load_best
from engines.pool import Copyable
from stream_retouch.engine import RetouchEngine
from stream_retouch.errors import DeviceFailure, EngineError, EngineMismatch, WeightsError
from tests.engines.scripted import GOOD, ONE, Early, Scripted, Several

Raised = Exception | None
NAMES = ("tensorrt", "inductor", "openvino", "eager")


def problems(**said: str) -> dict[str, Callable[[], str | None]]:
    def asks(why: str | None) -> Callable[[], str | None]:
        return lambda: why

    return {name: asks(said.get(name)) for name in NAMES}


def loaders(asked: list[str], **raised: Exception) -> Callable[[str], Loader]:
    def of(name: str) -> Loader:
        def load(weights: Path | None = None, threads: int = 1) -> RetouchEngine:
            asked.append(name)
            if name in raised:
                raise raised[name]
            return Several(name, GOOD) if name == "openvino" else Scripted(name, GOOD)

        return load

    return of


def test_the_first_that_can_be_used_is_best_and_says_why() -> None:
    assert best(problems()).name == "tensorrt"
    found = best(problems(tensorrt="no module", inductor="no GPU"))
    assert found.name == "openvino" and found.why == "tensorrt: no module; inductor: no GPU"


def test_where_none_can_be_used_every_reason_is_told() -> None:
    none = problems(**dict.fromkeys(NAMES, "gone"))
    with pytest.raises(EngineError, match="no engine can be used .*eager: gone.*; reinstall"):
        best(none)


def test_those_after_an_engine_follow_it() -> None:
    assert following("tensorrt") == NAMES[1:] and following("eager") == ()


@pytest.mark.parametrize(
    "reason",
    [
        EngineError("has not been built; python -m engines.build --engine tensorrt"),
        EngineMismatch("gpu", "NVIDIA L4", "NVIDIA H200"),
        DeviceFailure("the GPU has no memory left; end what else runs on it"),
    ],
)
def test_an_engine_that_does_not_load_is_told_and_the_next_one_serves(
    reason: EngineError, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []
    engine = load_best(None, 1, problems(), loaders(asked, tensorrt=reason))
    assert engine.name == "inductor" and asked == ["tensorrt", "inductor"]
    assert f"the engine tensorrt cannot be used: {reason}" in caplog.text


def test_what_follows_is_not_loaded_before_it_is_needed() -> None:
    asked: list[str] = []
    engine = load_best(None, 1, problems(), loaders(asked))
    assert engine.name == "tensorrt" and engine.retouch(*ONE) == [GOOD] and asked == ["tensorrt"]


def test_an_engine_of_which_there_can_be_several_stays_one() -> None:
    here = problems(tensorrt="no", inductor="no")
    assert isinstance(load_best(None, 1, here, loaders([])), Copyable)
    assert not isinstance(load_best(None, 1, problems(), loaders([])), Copyable)


def test_an_engine_whose_batches_overlap_stays_one() -> None:
    engine = guard(Early("tensorrt", GOOD))
    assert isinstance(engine, Overlapping) and not isinstance(engine, Copyable)
    assert not isinstance(guard(Scripted("tensorrt", GOOD)), Overlapping)


def test_an_engine_that_was_asked_for_is_guarded_once_and_followed_by_those_after_it() -> None:
    asked, loaded = list[str](), threading.Event()
    names = loaders(asked, openvino=EngineError("openvino is broken"))

    def of(name: str) -> Loader:
        if name == "eager":
            loaded.set()
        return names(name)

    engine = guard(Scripted("inductor", DeviceFailure("lost")), None, 1, of)
    assert guard(engine) is engine
    with pytest.raises(DeviceFailure, match="lost"):
        engine.retouch(*ONE)
    assert loaded.wait(10) and asked[0] == "openvino"
    engine.close()


def test_weights_that_cannot_be_used_are_told_at_once() -> None:
    asked: list[str] = []
    wrong = WeightsError("w", "no such file")
    with pytest.raises(WeightsError):
        load_best(None, 1, problems(), loaders(asked, tensorrt=wrong))
    assert asked == ["tensorrt"]


def test_where_nothing_loads_every_reason_is_told() -> None:
    wrong = {name: EngineError(f"{name} is broken") for name in NAMES}
    with pytest.raises(EngineError, match="tensorrt: tensorrt is broken;.*eager is broken"):
        load_best(None, 1, problems(), loaders([], **wrong))


def test_what_can_be_used_here_is_asked_without_harm(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    with caplog.at_level(logging.WARNING):
        said = {name: choice.problem(name) for name in (*NAMES, "auto")}
    assert said["eager"] is None and said["auto"] is None
    assert said["inductor"] is None or "use --engine openvino" in said["inductor"]


@pytest.mark.parametrize(
    ("name", "cores", "gpu", "expected"),
    [
        ("openvino", 2.0, True, 2),
        ("openvino", 0.5, False, 1),
        ("eager", 64.0, False, choice.MOST_PROCESSES),
        ("auto", 3.9, False, 3),
        ("auto", 4.0, True, 1),
        ("tensorrt", 8.0, False, 1),
        ("inductor", 8.0, True, 1),
    ],
)
def test_users_of_a_gpu_share_a_process_and_others_have_one_for_each_core(
    name: str, cores: float, gpu: bool, expected: int, tmp_path: Path
) -> None:
    driver = tmp_path / "version"
    if gpu:
        driver.write_text("NVRM version")
    assert choice.processes(name, cores, driver) == expected
