"""The gate: an engine that does not compute what eager computes is never stored."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("openvino", reason="openvino is not installed")

import torch

from engines import build, gate, openvino_build
from engines.built import find, manifest_path, store
from engines.conditioner import LanguageConditioner
from engines.eager import EagerEngine
from engines.openvino import AskedPrecision, identity
from engines.parity import CEILING_DB, Bounds, Samples, answers, compare, samples
from engines.weights_file import DEFAULT_WEIGHTS
from stream_retouch.engine import LAYER_SIZE, Conditioning, EditLayer
from stream_retouch.errors import EngineError, EngineMismatch, ParityError


class Broken:
    """An engine that answers the truth, spoilt."""

    name = "broken"

    def __init__(self, truth: EagerEngine, spoil: str) -> None:
        self._truth, self._spoil = truth, spoil

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        return [self._spoilt(x) for x in self._truth.retouch(crops, requests, conditionings)]

    def _spoilt(self, layer: EditLayer) -> EditLayer:
        rng = np.random.default_rng(1)
        if self._spoil == "nothing":
            return replace(layer, mask=np.zeros_like(layer.mask))
        if self._spoil == "noise":
            noise = rng.integers(-12, 13, layer.codes.shape)
            return replace(layer, codes=np.clip(layer.codes + noise, 0, 255).astype(np.uint8))
        if self._spoil == "shift":
            return replace(layer, mask=np.roll(layer.mask, 3, axis=1))
        if self._spoil == "neutral":
            codes = np.full((4, LAYER_SIZE, LAYER_SIZE), 128, np.uint8)
            codes[0] = 0
            return replace(layer, codes=codes)
        return layer

    def close(self) -> None:
        """Nothing to free."""


@pytest.fixture(scope="module")
def truth(weights: Path) -> EagerEngine:
    return EagerEngine.load(weights)


@pytest.fixture(scope="module")
def given(weights: Path) -> Samples:
    return samples(LanguageConditioner.load(weights))


def test_an_engine_that_tells_the_truth_passes(truth: EagerEngine, given: Samples) -> None:
    parity = gate.accept(Broken(truth, "no"), given, answers(truth, given))
    assert parity.parity_psnr_db == parity.edit_snr_db == CEILING_DB
    assert parity.mask_iou == 1 and parity.worst_pixel == 0


@pytest.mark.parametrize("spoil", ["nothing", "neutral", "noise", "shift"])
def test_a_broken_engine_is_refused(spoil: str, truth: EagerEngine, given: Samples) -> None:
    with pytest.raises(ParityError, match="build with a higher precision"):
        gate.accept(Broken(truth, spoil), given, answers(truth, given))


def test_an_engine_that_does_nothing_has_an_edit_of_0_db(
    truth: EagerEngine, given: Samples
) -> None:
    wanted = answers(truth, given)
    parity = compare(given.crops, wanted, answers(Broken(truth, "nothing"), given))
    assert parity.edit_snr_db == pytest.approx(0, abs=1e-6) and parity.mask_iou == 0
    with pytest.raises(ParityError, match="edit_snr_db is 0.0, at least 30.0 is needed"):
        gate.accept(
            Broken(truth, "nothing"), given, wanted, Bounds(parity_psnr_db=0, edit_snr_db=30)
        )


def test_where_eager_changes_nothing_no_engine_can_be_compared(
    truth: EagerEngine, given: Samples
) -> None:
    idle = answers(Broken(truth, "nothing"), given)
    with pytest.raises(EngineError, match="changes nothing on the parity crops"):
        gate.accept(Broken(truth, "nothing"), given, idle)


def test_a_refused_engine_leaves_no_file(weights: Path, tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(ParityError):
        store(
            openvino_build.build_openvino(
                weights,
                identity(weights, "f32"),
                told.append,
                bounds=Bounds(parity_psnr_db=CEILING_DB + 1),
            ),
            tmp_path / "engines",
        )
    assert not (tmp_path / "engines").exists()
    assert told == [
        "reading the weights",
        "exporting the network",
        "running eager on the parity crops",
        "comparing f32 with eager",
    ]


def test_with_auto_f32_follows_where_bf16_is_refused(
    weights: Path, cache: Path, truth: EagerEngine, given: Samples
) -> None:
    wanted = identity(weights, "auto")
    if "BF16" not in wanted.capabilities:
        pytest.skip("this CPU does not compute bf16 natively")
    built = find(cache, identity(weights, "f32"))
    told: list[str] = []
    # bf16 is good to some 30 dB, f32 to far more
    bounds = Bounds(parity_psnr_db=50, edit_snr_db=60)
    ir = built.xml, built.weights
    precision, parity, form = openvino_build.accepted(
        ir, wanted, given, answers(truth, given), told.append, bounds
    )
    assert form == ir
    assert precision == "f32" and parity.edit_snr_db >= 60
    assert any("bf16 is left out" in line and "going on with f32" in line for line in told)


@pytest.mark.parametrize(("share", "worth"), [(0.89, True), (0.91, False)])
def test_with_auto_int8_is_taken_where_it_is_a_tenth_faster(
    share: float,
    worth: bool,
    weights: Path,
    cache: Path,
    truth: EagerEngine,
    given: Samples,
) -> None:
    wanted = replace(identity(weights, "auto"), capabilities=["FP32", "INT8"])
    built = find(cache, identity(weights, "f32"))
    told: list[str] = []
    ir = built.xml, built.weights
    precision, _, form = openvino_build.accepted(
        ir,
        wanted,
        given,
        answers(truth, given),
        told.append,
        Bounds(0, 0, 0),
        lambda engines, _: [10 * share, 10.0],
    )
    assert (precision, form == ir) == (("int8", False) if worth else ("f32", True))
    assert any("not worth it, going on with f32" in line for line in told) != worth


def test_what_openvino_cannot_run_is_told_for_every_precision(
    weights: Path, truth: EagerEngine, given: Samples
) -> None:
    told: list[str] = []
    with pytest.raises(EngineError, match="openvino cannot run this engine"):
        openvino_build.accepted(
            (b"no graph", b""),
            identity(weights, "auto"),
            given,
            answers(truth, given),
            told.append,
        )
    assert "openvino cannot quantise this network; use bf16 or f32" in told[1]


@pytest.mark.parametrize("precision", ["int8", "f32"])
def test_the_weights_that_ship_pass_the_gate(precision: AskedPrecision) -> None:
    if not DEFAULT_WEIGHTS.is_file():
        pytest.skip("no weights in engines/weights")
    manifest = openvino_build.build_openvino(
        None, identity(None, precision), lambda _: None
    ).manifest
    assert manifest.precision == precision


@pytest.mark.parametrize("suffix", [".bin", ".xml", ".json"])
def test_a_file_that_is_cut_short_or_gone_is_noticed(
    suffix: str, weights: Path, cache: Path, tmp_path: Path
) -> None:
    wanted = identity(weights, "f32")
    built = find(cache, wanted)
    store(built, tmp_path)
    (victim,) = tmp_path.glob(f"*{suffix}")
    victim.write_bytes(victim.read_bytes()[:-100])
    with pytest.raises(EngineError, match="is damaged.*build again with python -m engines.build"):
        find(tmp_path, wanted)
    victim.unlink()
    with pytest.raises(EngineError, match="with python -m engines.build"):
        find(tmp_path, wanted)


def test_what_is_stored_is_found_and_only_for_what_it_was_built_for(
    weights: Path, cache: Path, tmp_path: Path
) -> None:
    wanted = identity(weights, "f32")
    built = find(cache, wanted)
    assert built.manifest.precision == "f32" and built.manifest.parity.edit_snr_db >= 30
    store(built, tmp_path)
    assert find(tmp_path, wanted).xml == built.xml
    with pytest.raises(EngineMismatch, match="runtime openvino .* run python -m engines.build"):
        find(tmp_path, replace(wanted, runtime="openvino 1"))
    with pytest.raises(EngineMismatch, match="code_sha256"):
        find(tmp_path, replace(wanted, code_sha256="0" * 64))
    with pytest.raises(EngineError, match="no engine at"):
        find(tmp_path / "elsewhere", wanted)


def test_storing_a_newer_engine_removes_the_older_files(
    weights: Path, cache: Path, tmp_path: Path
) -> None:
    built = find(cache, identity(weights, "f32"))
    store(built, tmp_path)
    (name, *_) = (n for n in built.manifest.files if n.endswith(".bin"))
    old = tmp_path / name.replace(name.split("-")[-1], "0123456789ab.bin")
    old.write_bytes(b"older")
    other = tmp_path / "somebody-elses.bin"
    other.write_bytes(b"other")
    assert store(built, tmp_path) == manifest_path(tmp_path, built.manifest.identity)
    assert not old.exists() and other.exists()
    assert not list(tmp_path.glob(".building-*"))


def test_the_command_tells_its_steps_and_says_in_a_sentence_what_is_wrong(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build.main(["--engine", "eager", "--weights", str(weights)]) == 0
    assert "nothing is to be built" in capsys.readouterr().out
    assert build.main(["--weights", str(tmp_path / "none.safetensors")]) == 1
    assert "no such file" in capsys.readouterr().err
    assert build.main(["--size", "512", "--weights", str(weights)]) == 1
    assert "the network's size is 256, not 512" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "--engine openvino --precision fp16",
            "openvino does not compute in fp16; use --precision",
        ),
        ("--engine tensorrt --precision int8", "use --precision auto or .*, or --engine openvino"),
        ("--engine eager --precision bf16", "eager does not compute in bf16"),
        ("--engine openvino --max-batch 4", "takes crops one by one, .*; leave --max-batch out"),
        ("--engine inductor --max-batch 0", "at least 1 crop, not 0; use --max-batch 8"),
        ("--engine inductor --converter onnx", "needs no converter; leave --converter out"),
    ],
)
def test_what_does_not_go_together_is_told_with_the_remedy(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build.main(words.split()) == 1
    assert re.search(told, capsys.readouterr().err)


@pytest.mark.parametrize("engine", ["tensorrt", "inductor"])
def test_without_a_gpu_its_engines_are_refused_and_nothing_is_written(
    engine: str, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    words = ["--engine", engine, "--precision", "fp32", "--weights", str(weights)]
    assert build.main([*words, "--out", str(tmp_path / "engines")]) == 1
    assert "or use --engine openvino" in capsys.readouterr().err
    assert not (tmp_path / "engines").exists()


def test_an_engine_of_nan_is_refused_by_the_gate(truth: EagerEngine, given: Samples) -> None:
    layers = [replace(layer, skin_luma=float("nan")) for layer in answers(truth, given)]
    parity = compare(given.crops, answers(truth, given), layers)
    assert parity.edit_snr_db == -CEILING_DB and parity.worst_pixel == 255
