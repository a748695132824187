"""Which weights file is meant by a file and a size."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines import weights_file
from engines.weights_file import DEFAULT_WEIGHTS, chosen, serving_config
from stream_retouch.errors import WeightsError


@pytest.mark.parametrize("size", [None, 256])
def test_the_usual_size_is_that_of_the_weights_that_ship(size: int | None) -> None:
    assert chosen(None, size) is None
    assert DEFAULT_WEIGHTS.name == "retouchgpt-256.safetensors"


def test_another_size_is_looked_for_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights_file, "_FOLDER", tmp_path)
    with pytest.raises(WeightsError) as raised:
        chosen(None, 512)
    assert str(raised.value) == (
        f"weights {tmp_path / 'retouchgpt-512.safetensors'}: no network of size 512 comes with this version; "
        "train one as training/README.md says and name it with --weights, or use --size 256"
    )
    (tmp_path / "retouchgpt-512.safetensors").touch()
    assert chosen(None, 512) == tmp_path / "retouchgpt-512.safetensors"


def test_a_file_that_is_named_has_its_own_size(weights: Path, finer_weights: Path) -> None:
    assert serving_config(finer_weights).crop_size == 512
    for path, size, other in ((weights, 256, 512), (finer_weights, 512, 256)):
        assert chosen(path, None) == chosen(path, size) == path
        with pytest.raises(WeightsError, match=f"size is {size}, not {other}; leave the size out"):
            chosen(path, other)
