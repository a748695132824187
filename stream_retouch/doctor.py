"""``stream-retouch doctor``: what this machine has for the filter, what is missing, and the remedy.

Nothing is believed because it is installed: codecs encode a picture, and packages that bring native
code are imported in a process of their own, so that one that crashes on this CPU is reported
instead of ending the report.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import cv2

import stream_retouch
from stream_retouch import probes

State = Literal["ok", "absent", "missing"]
"""ok; absent: the filter runs without it; missing: it does not."""

CODECS: tuple[tuple[str, bool, str], ...] = (
    (
        "libx264",
        True,
        "reinstall av, whose wheel brings it: python -m pip install --force-reinstall av",
    ),
    (
        "libvpx",
        True,
        "reinstall av, whose wheel brings it: python -m pip install --force-reinstall av",
    ),
    ("libvpx-vp9", False, "only .webm files need it: python -m pip install --force-reinstall av"),
    (
        "h264_nvenc",
        False,
        "libx264 is used; NVENC needs an NVIDIA GPU with an encoder (not A100, H100, H200) and its driver",
    ),
)
"""Encoder, whether the filter needs it, remedy."""
PACKAGES = ("numpy", "opencv-python-headless", "av", "aiortc", "fastapi", "uvicorn", "websockets")
RUNTIMES: tuple[tuple[str, str], ...] = (
    ("openvino", "python -m pip install openvino"),
    ("torch", "python -m pip install torch"),
    ("tensorrt", "only for NVIDIA GPUs: python -m pip install 'stream-retouch[tensorrt]'"),
)
"""Packages that run the network, and how to get them."""
_CPU_FLAGS = ("avx2", "avx512f", "avx512_vnni", "amx_bf16", "amx_int8", "asimd")
_PAGE_REFERENCE = re.compile(r'(?:src|href)="([\w./-]+\.\w+)"')


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    group: str
    name: str
    state: State
    found: str
    remedy: str = ""
    """What to do, where it is not ok."""


def examine(
    engines: Mapping[str, str], weights: Path | None = None, problem: str | None = None
) -> list[Check]:
    """Looks at everything.

    Args:
        engines: name of each engine and its "module:attribute".
        problem: "module:function" that says of an engine's name why this machine cannot use it.
        weights: the weights file that is asked for; None: those that ship.
    """
    return [
        *versions(),
        *machine(),
        *codecs(),
        *graphics(),
        *runtimes(),
        *engine_checks(engines, problem),
        *weights_checks(weights),
        *speech(),
        *page_files(),
        *network(),
    ]


def can_run(checks: Sequence[Check]) -> bool:
    """Whether nothing that the filter needs is missing."""
    return all(check.state != "missing" for check in checks)


def as_json(checks: Sequence[Check]) -> str:
    """The report for programs."""
    return json.dumps({"can_run": can_run(checks), "checks": [asdict(c) for c in checks]}, indent=2)


def as_text(checks: Sequence[Check]) -> str:
    """The report for people."""
    marks = {"ok": "ok", "absent": "--", "missing": "MISSING"}
    lines, group = [], ""
    for check in checks:
        if check.group != group:
            group = check.group
            lines.append(f"{group}:")
        lines.append(f"  {marks[check.state]:<8}{check.name:<28}{check.found}".rstrip())
        if check.remedy and check.state != "ok":
            lines.append(f"{'':10}{'':24}→ {check.remedy}")
    lines.append("")
    wrong = [check.name for check in checks if check.state == "missing"]
    lines.append(
        f"cannot run: {', '.join(wrong)} missing (see the remedies above)"
        if wrong
        else "everything needed is here: stream-retouch serve"
    )
    return "\n".join(lines)


def versions() -> list[Check]:
    """Python, this package, and the packages it stands on."""
    good = (3, 11) <= sys.version_info[:2] <= (3, 14)
    checks = [
        Check(
            "versions",
            "python",
            "ok" if good else "missing",
            f"{platform.python_version()} on {platform.platform()}",
            "use Python 3.11 to 3.14",
        ),
        Check("versions", "stream-retouch", "ok", stream_retouch.__version__),
    ]
    for name in PACKAGES:
        version = _version(name)
        if version is None and name == "opencv-python-headless":
            version = str(cv2.__version__)  # another build of OpenCV gives the same module
        checks.append(
            Check(
                "versions",
                name,
                "ok" if version else "missing",
                version or "not installed",
                f"python -m pip install {name}",
            )
        )
    return checks


def machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[Check]:
    """Cores, and the instructions that make the network fast."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else (os.cpu_count() or 1)
    flags = probes.cpu_flags(cpuinfo)
    known = ", ".join(f for f in _CPU_FLAGS if f in flags) or f"none known ({platform.machine()})"
    return [
        Check(
            "machine",
            "cores",
            "ok" if cores >= 2 else "absent",
            str(cores),
            "two cores are needed for 720p at 30 frames per second",
        ),
        Check("machine", "cpu features", "ok", known),
    ]


def codecs() -> list[Check]:
    """Encoders, each opened and given a picture."""
    checks = []
    for name, is_needed, remedy in CODECS:
        problem = probes.encoder_problem(name)
        state: State = "ok" if problem is None else "missing" if is_needed else "absent"
        checks.append(Check("codecs", name, state, problem or "encodes", remedy))
    states = {check.name: check.state for check in checks}
    chosen = next((name for name in ("h264_nvenc", "libx264") if states[name] == "ok"), None)
    found = f"{chosen} (--video-encoder auto)" if chosen else "none"
    checks.append(Check("codecs", "H.264 of sessions", "ok" if chosen else "absent", found))
    return checks


def graphics() -> list[Check]:
    """NVIDIA GPUs as the driver names them."""
    names = probes.cuda_devices()
    return [
        Check(
            "gpu",
            "nvidia",
            "ok" if names else "absent",
            ", ".join(names) or "none",
            "the CPU is used; with an NVIDIA GPU, install its driver",
        )
    ]


def runtimes() -> list[Check]:
    """The packages that run the network; whether they work, their engines show."""
    checks = []
    for package, remedy in RUNTIMES:
        version = _version(package)
        state: State = "ok" if version else "absent"
        checks.append(Check("engines", package, state, version or "not installed", remedy))
    return checks


def engine_checks(engines: Mapping[str, str], problem: str | None = None) -> list[Check]:
    """The ways to run the network; one that can be used is enough. `problem` as in `examine`."""
    checks, usable = [], 0
    for name, place in engines.items():
        wrong = probes.import_problem(*place.split(":"))
        if wrong is None and problem is not None:
            wrong = probes.answer(problem, name)  # for example: no GPU, no TensorRT
        usable += wrong is None
        checks.append(
            Check(
                "engines",
                f"--engine {name}",
                "absent" if wrong else "ok",
                wrong or "usable",
                "install what it names, or choose another engine",
            )
        )
    if not usable:
        checks.append(
            Check(
                "engines",
                "any engine",
                "missing",
                "none can be used",
                "python -m pip install 'stream-retouch[engines]'",
            )
        )
    return checks


def weights_checks(path: Path | None) -> list[Check]:
    """The network's weights, whole to the last byte."""
    if path is not None:
        paths = [path]
    else:
        spec = importlib.util.find_spec("engines")
        folders = (
            [Path(p) / "weights" for p in (spec.submodule_search_locations or [])] if spec else []
        )
        paths = sorted(p for folder in folders for p in folder.glob("*.safetensors"))
    remedy = "reinstall stream-retouch, or name a file with --weights"
    if not paths:
        return [
            Check(
                "weights", "weights", "missing", "no *.safetensors file in engines/weights", remedy
            )
        ]
    checks = []
    for file in paths:
        problem = probes.safetensors_problem(file)
        found = problem or f"{file.stat().st_size / 1e6:.1f} MB, whole"
        checks.append(Check("weights", file.name, "missing" if problem else "ok", found, remedy))
    return checks


def speech() -> list[Check]:
    """Whether spoken instructions can be recognised."""
    versions = {name: _version(name) for name in ("pocketsphinx", "kaldi-decoder", "kaldifst")}
    missing = [name for name, version in versions.items() if not version]
    return [
        Check(
            "service",
            "speech",
            "absent" if missing else "ok",
            f"not installed: {', '.join(missing)}"
            if missing
            else ", ".join(f"{name} {version}" for name, version in versions.items()),
            "python -m pip install 'stream-retouch[speech]', or type instead",
        )
    ]


def page_files() -> list[Check]:
    """The page that the service shows."""
    folder = Path(stream_retouch.__file__).parent / "service" / "page"
    index = folder / "index.html"
    named = _PAGE_REFERENCE.findall(index.read_text(encoding="utf-8")) if index.is_file() else []
    wanted = ["index.html", *(name.removeprefix("/").removeprefix("page/") for name in named)]
    gone = [name for name in wanted if not (folder / name).is_file()]
    found = f"{', '.join(gone)} not found" if gone else f"whole ({len(wanted)} files)"
    return [
        Check("service", "page", "missing" if gone else "ok", found, "reinstall stream-retouch")
    ]


def network() -> list[Check]:
    """The addresses at which other machines could reach the service; none is fine for use on this
    machine."""
    addresses = probes.own_addresses()
    return [
        Check(
            "service",
            "network addresses",
            "ok" if addresses else "absent",
            ", ".join(addresses) or "none but this machine's own (127.0.0.1)",
            "connect to a network to serve other machines",
        )
    ]


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
