"""Who may import whom, as a table. Read this file first: it is the map of the project.

A stray import is not a matter of taste: torch in the service makes a laptop carry gigabytes to show a
page, a clock in ``media`` makes a frame's result depend on the machine's load.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ("stream_retouch", "engines")
"""Packages in the wheel."""
OURS = (*SHIPPED, "training", "benchmarks", "tests")

SEAM = ("stream_retouch.engine", "stream_retouch.errors", "stream_retouch.language.plan")
"""All that engines see of the service."""
GROUND = (
    "stream_retouch.engine",
    "stream_retouch.errors",
    "stream_retouch.latest",
    "stream_retouch.settings",
    "stream_retouch.metrics",
)

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    # The service: ground <- media, language <- rtc <- service, outputs <- cli.
    "stream_retouch": (),
    "stream_retouch.errors": (),
    "stream_retouch.latest": (),
    "stream_retouch.metrics": (),
    "stream_retouch.settings": ("stream_retouch.errors",),
    "stream_retouch.engine": ("stream_retouch.language.plan",),
    "stream_retouch.language": ("stream_retouch.engine", "stream_retouch.errors"),
    "stream_retouch.media": SEAM,
    "stream_retouch.rtc": (*GROUND, "stream_retouch.media", "stream_retouch.language"),
    "stream_retouch.service": (
        *GROUND,
        "stream_retouch.media",
        "stream_retouch.language",
        "stream_retouch.rtc",
    ),
    "stream_retouch.outputs": (
        *GROUND,
        "stream_retouch.media",
        "stream_retouch.language",
        "stream_retouch.rtc",
    ),
    # The command line.
    "stream_retouch.arguments": ("stream_retouch.__version__",),
    "stream_retouch.say": ("stream_retouch.errors",),
    "stream_retouch.probes": (),
    "stream_retouch.doctor": ("stream_retouch.probes",),
    "stream_retouch.cli": ("stream_retouch",),
    "stream_retouch.__main__": ("stream_retouch.cli",),
    # The networks, and what makes and measures them.
    "engines": SEAM,
    "engines.language": ("engines", "stream_retouch.language", *SEAM),
    "engines.planner": ("engines", "stream_retouch.language", *SEAM),
    "engines.planners": ("engines", "stream_retouch.language", *SEAM),
    "engines.asked": ("stream_retouch.language", *SEAM),
    "engines.remote_planner": ("engines", "stream_retouch.language", *SEAM),
    "engines.local_planner": ("engines", "stream_retouch.language", *SEAM),
    "training": ("engines", "stream_retouch.media", *SEAM),
    "training.language": ("engines", "training", "stream_retouch.language", *SEAM),
    "benchmarks": ("stream_retouch", "engines", "training"),
}
"""Importer -> what of ours it may import, besides itself. The longest name that fits counts. Nothing imports
``benchmarks`` or ``tests``, and only ``benchmarks`` and ``tests`` import ``training``."""

ONLY_IN: dict[str, tuple[str, ...]] = {
    "torch": ("engines", "training", "benchmarks"),
    "openvino": ("engines", "benchmarks"),
    "transformers": ("engines", "training", "benchmarks"),
    "safetensors": ("engines", "training", "benchmarks"),
    "tokenizers": ("engines", "training"),
    "pocketsphinx": ("engines", "training"),
    "kaldi_decoder": ("engines",),
    "kaldifst": ("engines",),
    "aiortc": ("stream_retouch.rtc", "benchmarks"),
    "aioice": ("stream_retouch.rtc", "benchmarks"),
    "fastapi": ("stream_retouch.service", "benchmarks"),
    "starlette": ("stream_retouch.service", "benchmarks"),
    "uvicorn": ("stream_retouch.service", "benchmarks"),
    "websockets": ("stream_retouch.say", "benchmarks"),
    "prometheus_client": ("stream_retouch.metrics", "stream_retouch.service", "benchmarks"),
    "skimage": ("training", "benchmarks"),
    "matplotlib": ("training", "benchmarks"),
}
"""Packages of others -> the only places that import them."""

PURE = ("stream_retouch.media", "stream_retouch.language")
"""No input or output, no clock, no threads: the same frames and words give the same result anywhere."""
IMPURE = frozenset(
    "asyncio concurrent datetime io logging multiprocessing os pathlib queue random secrets shutil "
    "socket subprocess sys tempfile threading time urllib".split()
)
NAMES_ENGINES = "stream_retouch.cli"
"""The only file that names concrete engines, imports by name, and reads the environment."""
_ENGINE_NAME = re.compile(r"engines(\.\w+)+(:\w+)?")

MOST_LINES = 400
DATA = frozenset({"stream_retouch/language/lexicon.py"})
"""Tables of words: as long as the language is."""
NAMELESS = frozenset({"utils", "util", "helpers", "helper", "manager", "common", "misc"})
"""Module names that hide their subject."""

PLANTED: list[tuple[str, str, str]] = [
    ("stream_retouch.media.frames", "import torch", "imports torch"),
    ("stream_retouch.service.session", "def f():\n    import torch.nn", "imports torch.nn"),
    ("stream_retouch.cli", "import openvino as ov", "imports openvino"),
    ("stream_retouch.media.faces", "from stream_retouch.rtc.peer import Peer", "rtc.peer"),
    ("stream_retouch.media.faces", "from stream_retouch.language import lexicon", "lexicon"),
    ("stream_retouch.language.plan", "from stream_retouch.media.retouch import Look", "retouch"),
    ("stream_retouch.rtc.peer", "from stream_retouch.service import control", "service.control"),
    (
        "stream_retouch.outputs.file",
        "from stream_retouch.service.session import Session",
        "Session",
    ),
    ("stream_retouch.service.server", "from stream_retouch import cli", "stream_retouch.cli"),
    ("stream_retouch.service.server", "import engines.eager", "engines.eager"),
    ("stream_retouch.service.server", "from aiortc import RTCPeerConnection", "aiortc"),
    ("stream_retouch.service.server", "from aioice.ice import Connection", "aioice"),
    ("stream_retouch.cli", "import training.retouch", "training.retouch"),
    ("stream_retouch.service.session", "from . import control", "relative"),
    ("stream_retouch.media.smoothing", "import time", "imports time"),
    ("stream_retouch.language.grammar", "from threading import Lock", "imports threading"),
    ("stream_retouch.settings", "import os\nHOME = os.environ['HOME']", "environment"),
    ("stream_retouch.doctor", "from os import getenv", "environment"),
    ("stream_retouch.service.server", "NAME = 'engines.eager:EagerEngine'", "names an engine"),
    ("stream_retouch.outputs.file", "import importlib\nimportlib.import_module(x)", "by name"),
    ("engines.eager", "from stream_retouch.media.frames import picture_of", "media.frames"),
    ("engines.eager", "from stream_retouch.settings import Settings", "settings"),
    ("engines.eager", "import training.losses", "training.losses"),
    ("engines.eager", "from stream_retouch.language import grammar", "language.grammar"),
    ("training.losses", "from stream_retouch.language import grammar", "language.grammar"),
    ("training.retouch", "from stream_retouch.rtc import peer", "rtc.peer"),
    ("training.retouch", "from benchmarks import fps", "benchmarks.fps"),
    ("benchmarks.fps", "from tests.fakes import FakeEngine", "tests.fakes"),
]
"""Module, source, and a word of the complaint it must draw."""


def modules(*packages: str) -> list[tuple[str, Path]]:
    """Name and file of every module of `packages`."""
    found = []
    for path in sorted(p for package in packages for p in (ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return found


def within(name: str, place: str) -> bool:
    """Whether `name` is `place` or lies in it."""
    return name == place or name.startswith(place + ".")


def imported(tree: ast.AST) -> Iterator[str]:
    """Every imported name in full, wherever in the file it is imported; "." for a relative import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ["."] if node.level else inside


def complaints(module: str, source: str) -> list[str]:
    """What in the source of `module` breaks the tables above."""
    tree = ast.parse(source)
    found = [text for name in imported(tree) if (text := wrong_import(module, name))]
    return [f"{module} {text}" for text in (*found, *wrong_words(module, tree))]


def wrong_import(module: str, name: str) -> str | None:
    """Why `module` must not import `name`; None when it may."""
    top = name.partition(".")[0]
    if name == ".":
        return "has a relative import: write the whole name"
    if top in OURS:
        row = max((row for row in MAY_IMPORT if within(module, row)), key=len)
        own_package = name == module.partition(".")[0]  # the bare name brings nothing but itself
        if not own_package and not any(within(name, p) for p in (row, *MAY_IMPORT[row])):
            return f"imports {name}, which is not in the row of {row}"
        if row == "stream_retouch" and not own_package:
            return f"imports {name}: the package itself stays empty"
    if top in ONLY_IN and not any(within(module, place) for place in ONLY_IN[top]):
        return f"imports {name}, which belongs in {', '.join(ONLY_IN[top])}"
    if top in IMPURE and any(within(module, place) for place in PURE):
        return f"imports {name}: no input or output, no clock, no threads there"
    return None


def wrong_words(module: str, tree: ast.AST) -> Iterator[str]:
    """The environment, dynamic imports and engines' names outside `NAMES_ENGINES`."""
    if not within(module, "stream_retouch") or module == NAMES_ENGINES:
        return
    for node in ast.walk(tree):
        words = {getattr(node, "attr", None)} if isinstance(node, ast.Attribute) else set()
        if isinstance(node, ast.ImportFrom) and node.module in ("os", "importlib"):
            words = {alias.name for alias in node.names}
        if words & {"environ", "environb", "getenv"}:
            yield f"line {node.lineno}: reads the environment, which is {NAMES_ENGINES}'s task"
        if words & {"import_module"} or isinstance(node, ast.Name) and node.id == "__import__":
            yield f"line {node.lineno}: imports by name, which is {NAMES_ENGINES}'s task"
        if isinstance(node, ast.Constant) and _ENGINE_NAME.fullmatch(str(node.value)):
            yield f"line {node.lineno}: names an engine, which is {NAMES_ENGINES}'s task"


def test_imports_go_one_way_only() -> None:
    found = modules(*SHIPPED, "training", "benchmarks")
    assert [c for name, path in found for c in complaints(name, path.read_text())] == []


@pytest.mark.parametrize(("module", "source", "word"), PLANTED)
def test_a_planted_violation_is_found(module: str, source: str, word: str) -> None:
    found = complaints(module, source)
    assert len(found) == 1 and word in found[0]


def test_every_module_has_a_row_of_its_own_and_every_row_a_module() -> None:
    names = [name for name, _ in modules(*SHIPPED, "training", "benchmarks")]
    units = {
        ".".join(n.split(".")[:2]) if within(n, "stream_retouch") else n.partition(".")[0]
        for n in names
    }
    finer = {row for row in MAY_IMPORT if row.partition(".")[0] != "stream_retouch" and "." in row}
    assert units == set(MAY_IMPORT) - finer
    assert all(any(within(n, row) for n in names) for row in finer)


def test_a_file_has_one_subject() -> None:
    lines = {
        str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for _, p in modules(*SHIPPED)
    }
    assert {name: n for name, n in lines.items() if n > MOST_LINES and name not in DATA} == {}


def test_no_module_hides_its_subject_behind_its_name() -> None:
    names = {name for name, _ in modules(*OURS)}
    assert {name for name in names if NAMELESS & set(name.split("."))} == set()


def test_the_whole_service_imports_without_torch() -> None:
    names = [name for name, _ in modules("stream_retouch")]
    lines = (
        "import importlib, json, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", lines], cwd=ROOT, capture_output=True, text=True, check=True
    )
    heavy = {"torch", "openvino", "transformers", "engines", "training", "benchmarks"}
    assert heavy & set(json.loads(done.stdout)) == set()
