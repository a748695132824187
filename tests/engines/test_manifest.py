"""EngineManifest: round trip, mismatches, damage."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from engines.manifest import EngineIdentity, EngineManifest, Parity, code_hash
from stream_retouch.errors import EngineError, EngineMismatch

IDENTITY = EngineIdentity(
    engine="openvino",
    weights_sha256="a" * 64,
    code_sha256="b" * 64,
    config={"crop_size": 256, "widths": [8, 8, 8]},
    inputs={"crops": [1, 256, 256, 3]},
    outputs={"mask": [1, 128, 128]},
    asked_precision="auto",
    runtime="openvino 2026.4",
    cpu="a CPU",
    capabilities=["BF16", "FP32"],
)
MANIFEST = EngineManifest(
    identity=IDENTITY,
    precision="bf16",
    parity=Parity(60.5, 32.25, 31.5, 0.99, 2),
    libraries={"torch": "2.13.0"},
    created="2026-01-01T00:00:00+00:00",
    files={"engine.xml": "c" * 64},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "engine.json"
    path.write_text(MANIFEST.to_json())
    return path


def test_a_manifest_survives_json(path: Path) -> None:
    assert EngineManifest.read(path) == MANIFEST
    EngineManifest.read(path).check(IDENTITY)


@pytest.mark.parametrize("name", [field.name for field in fields(EngineIdentity)])
def test_a_mismatch_names_its_field(name: str) -> None:
    value = getattr(IDENTITY, name)
    other: Any = {"else": [1]} if isinstance(value, dict) else "else"
    if isinstance(value, list):
        other = ["else"]
    changed: dict[str, Any] = {name: other}
    with pytest.raises(EngineMismatch) as caught:
        MANIFEST.check(replace(IDENTITY, **changed))
    assert caught.value.field == name and "else" in caught.value.expected
    assert str(caught.value).endswith("run python -m engines.build")


def test_of_two_configurations_only_what_differs_is_told() -> None:
    with pytest.raises(EngineMismatch) as caught:
        MANIFEST.check(replace(IDENTITY, config={"crop_size": 512, "widths": [8, 8, 8]}))
    assert str(caught.value) == (
        "engine was built for config {'crop_size': 256} but this is {'crop_size': 512}; "
        "run python -m engines.build"
    )


@pytest.mark.parametrize("spoil", ["cut", "empty", "list", "field", "files", "bytes"])
def test_a_damaged_manifest_is_told_with_the_remedy(path: Path, spoil: str) -> None:
    values = json.loads(path.read_text())
    if spoil == "field":
        values["identity"]["unknown"] = 1
    if spoil == "files":
        values["files"] = {}
    text = {"cut": path.read_text()[:-40], "empty": "", "list": "[]"}.get(spoil)
    path.write_text(json.dumps(values) if text is None else text)
    if spoil == "bytes":
        path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EngineError, match="is damaged .*; build again with python -m engines"):
        EngineManifest.read(path)


def test_a_manifest_from_before_there_were_gpu_engines_is_still_good(path: Path) -> None:
    values = json.loads(path.read_text())
    for name in ("gpu", "gpu_capability", "driver", "cuda", "max_batch", "flags"):
        del values["identity"][name]
    path.write_text(json.dumps(values))
    EngineManifest.read(path).check(IDENTITY)


def test_code_that_only_some_engines_depend_on_counts_for_them_alone() -> None:
    assert code_hash("typed_graph.py") not in (code_hash(), code_hash("onnx_graph.py"))


def test_a_missing_manifest_is_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no engine at .*; build one with python -m engines"):
        EngineManifest.read(tmp_path / "none.json")


def test_the_codes_hash_is_steady() -> None:
    assert code_hash() == code_hash() and len(code_hash()) == 64
