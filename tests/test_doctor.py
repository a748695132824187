"""``stream-retouch doctor``: believes nothing that it has not tried."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import pytest

from stream_retouch import doctor, probes
from stream_retouch.doctor import Check


def safetensors(path: Path, cut: int = 0, more: bytes = b"") -> Path:
    """A file with one tensor of 8 bytes, possibly cut or too long."""
    header = json.dumps(
        {"__metadata__": {}, "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    ).encode()
    data = struct.pack("<Q", len(header)) + header + bytes(8) + more
    path.write_bytes(data[: len(data) - cut])
    return path


def test_a_working_encoder_has_encoded_a_picture() -> None:
    assert probes.encoder_problem("libx264") is None
    assert probes.encoder_problem("libvpx") is None


def test_who_encodes_sessions_is_the_first_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    for broken, found, state in (
        (set(), "h264_nvenc (--video-encoder auto)", "ok"),
        ({"h264_nvenc"}, "libx264 (--video-encoder auto)", "ok"),
        ({"h264_nvenc", "libx264"}, "none", "absent"),
    ):
        monkeypatch.setattr(
            probes, "encoder_problem", lambda name, b=broken: "is broken" if name in b else None
        )
        chosen = doctor.codecs()[-1]
        assert (chosen.name, chosen.found, chosen.state) == ("H.264 of sessions", found, state)


def test_an_encoder_that_is_not_there_is_named() -> None:
    assert str(probes.encoder_problem("libnothing")).startswith("cannot be used (")


def test_a_module_is_imported_in_a_process_of_its_own() -> None:
    assert probes.import_problem("this", "s") is None  # a module that prints when it is imported
    assert "this" not in sys.modules


@pytest.mark.parametrize(
    "module, attribute, words",
    [
        ("no_such_module", None, "No module named 'no_such_module'"),
        ("json", "nothing", "module 'json' has no attribute 'nothing'"),
    ],
)
def test_what_cannot_be_imported_says_why(module: str, attribute: str | None, words: str) -> None:
    assert words in str(probes.import_problem(module, attribute))


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_module_that_crashes_is_reported_and_ends_nothing(tmp_path: Path) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    (tmp_path / "crashing_module_for_doctor.py").write_text(code)
    sys.path.insert(0, str(tmp_path))
    try:
        problem = probes.import_problem("crashing_module_for_doctor")
    finally:
        sys.path.remove(str(tmp_path))
    assert problem == "crashes when it is imported (signal 9)"


def test_whole_weights_are_ok(tmp_path: Path) -> None:
    (check,) = doctor.weights_checks(safetensors(tmp_path / "w.safetensors"))
    assert (check.state, check.name) == ("ok", "w.safetensors")


def test_damaged_weights_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    assert probes.safetensors_problem(safetensors(path, cut=3)) == "is truncated"
    assert probes.safetensors_problem(safetensors(path, cut=40)) == "is truncated"
    assert probes.safetensors_problem(safetensors(path, cut=1000)) == "is not a safetensors file"
    assert (
        probes.safetensors_problem(safetensors(path, more=b"x"))
        == "has bytes that do not belong to it"
    )
    path.write_bytes(b"\x02\0\0\0\0\0\0\0[]")
    assert probes.safetensors_problem(path) == "is not a safetensors file"
    assert "cannot be read" in str(probes.safetensors_problem(tmp_path / "none"))


def test_missing_weights_mean_that_it_cannot_run(tmp_path: Path) -> None:
    (check,) = doctor.weights_checks(tmp_path / "none.safetensors")
    assert check.state == "missing"
    assert check.remedy == "reinstall stream-retouch, or name a file with --weights"
    assert not doctor.can_run([check])


def test_one_usable_engine_is_enough() -> None:
    checks = doctor.engine_checks({"good": "json:loads", "bad": "no_such_module:Engine"})
    states = {check.name: check.state for check in checks}
    assert (states["--engine good"], states["--engine bad"]) == ("ok", "absent")
    assert "any engine" not in states


def test_no_usable_engine_is_missing() -> None:
    checks = doctor.engine_checks({"bad": "no_such_module:Engine"})
    assert [c.name for c in checks if c.state == "missing"] == ["any engine"]


def test_cpu_features_are_read_from_the_kernel(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nflags\t\t: fpu avx2 avx512f amx_bf16\nprocessor : 1\n")
    _, features = doctor.machine(info)
    assert features.found == "avx2, avx512f, amx_bf16"
    assert probes.cpu_flags(tmp_path / "none") == set()


def test_speech_is_told_and_is_not_needed() -> None:
    (check,) = doctor.speech()
    assert check.state in ("ok", "absent") and "stream-retouch[speech]" in check.remedy


def test_the_page_is_there_with_all_it_names() -> None:
    (check,) = doctor.page_files()
    assert check.state == "ok", check.found


def test_the_text_names_what_is_missing_and_the_remedy() -> None:
    checks = [
        Check("weights", "weights", "missing", "not found", "reinstall stream-retouch"),
        Check("gpu", "nvidia", "absent", "none", "the CPU is used"),
        Check("gpu", "other", "ok", "fine", "no remedy is needed"),
    ]
    text = doctor.as_text(checks)
    assert "MISSING weights" in text and "→ reinstall stream-retouch" in text
    assert "no remedy is needed" not in text
    assert text.endswith("cannot run: weights missing (see the remedies above)")
    assert doctor.as_text(checks[1:]).endswith("everything needed is here: stream-retouch serve")


def test_the_json_report_says_whether_it_can_run() -> None:
    report = json.loads(doctor.as_json([Check("gpu", "nvidia", "absent", "none")]))
    assert report["can_run"] is True
    assert report["checks"][0]["name"] == "nvidia"


def test_everything_is_looked_at() -> None:
    groups = {check.group for check in doctor.examine({"good": "json:loads"})}
    assert groups == {"versions", "machine", "codecs", "gpu", "engines", "weights", "service"}
