"""What the sources use of TensorRT is in its bindings of 10.15, 11.0 and 11.4.

`tensorrt_api_names.json` holds the used names only, each checked against the real bindings of every version when it was
added. A name that is not in it has to be looked up in the bindings first.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")

from tests.engines import fake_gpu

ENGINES = Path(__file__).parents[2] / "engines"
SOURCES = ("tensorrt.py", "tensorrt_build.py")
VARIABLES = {
    "builder": "Builder",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "config": "IBuilderConfig",
    "runtime": "Runtime",
    "engine": "ICudaEngine",
    "context": "IExecutionContext",
}
"""What the sources call an object of each class."""
RESULTS = {"get_error": "ParserError", "get_timing_cache": "ITimingCache"}
"""Methods whose result a method is called of, and its class."""
FAKES: dict[str, type] = {
    "Builder": fake_gpu.Builder,
    "OnnxParser": fake_gpu.Parser,
    "IBuilderConfig": fake_gpu.Config,
    "Runtime": fake_gpu.Runtime,
    "ICudaEngine": fake_gpu.Engine,
    "IExecutionContext": fake_gpu.Context,
    "ParserError": fake_gpu.ParserError,
    "ITimingCache": fake_gpu.TimingCache,
}


def used(source: str) -> dict[str, set[str]]:
    """Names of the bindings in a source, and what of each."""
    found: dict[str, set[str]] = defaultdict(set)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            inner = node.value
            if isinstance(inner, ast.Name) and inner.id == "trt":
                if not node.attr.startswith("__"):  # of the package, not of the bindings
                    found[node.attr] |= set()
            elif isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
                if inner.value.id == "trt" and not inner.attr.startswith("__"):
                    found[inner.attr].add(node.attr)
            elif isinstance(inner, ast.Name) and inner.id in VARIABLES:
                found[VARIABLES[inner.id]].add(node.attr)
            elif isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
                if inner.func.attr in RESULTS:
                    found[RESULTS[inner.func.attr]].add(node.attr)
        elif isinstance(node, ast.ClassDef):
            bases = [b.attr for b in node.bases if isinstance(b, ast.Attribute)]
            methods = {m.name for m in node.body if isinstance(m, ast.FunctionDef)}
            for base in bases:
                found[base] |= {name for name in methods if not name.startswith("_")}
    return found


def everything() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for name in SOURCES:
        for top, members in used((ENGINES / name).read_text()).items():
            found[top] |= members
    return found


@pytest.mark.parametrize("version", ["10.15.1.29", "11.0.0.114", "11.4.0.106"])
def test_every_name_that_is_used_is_in_the_bindings(version: str) -> None:
    known = fake_gpu.NAMES[version]
    missing = {
        f"trt.{top}.{member}" if member else f"trt.{top}"
        for top, members in everything().items()
        for member in ("", *members)
        if top not in known or (member and member not in known[top])
    }
    assert missing == set()


def test_no_name_is_kept_that_is_not_used() -> None:
    for known in fake_gpu.NAMES.values():
        found = everything()
        assert set(known) == set(found)
        for top, members in known.items():
            assert set(members) - {"__init__"} == found[top] - {"__init__"}, top


def test_the_sources_use_what_they_are_thought_to_use() -> None:
    found = everything()
    assert "execute_async_v3" in found["IExecutionContext"]
    assert "STRONGLY_TYPED" in found["NetworkDefinitionCreationFlag"]
    assert {"phase_start", "phase_finish", "step_complete"} <= found["IProgressMonitor"]
    assert found["ParserError"] == {"desc"} and found["ITimingCache"] == {"serialize"}


@pytest.mark.parametrize("top", FAKES)
def test_the_fake_has_no_method_that_the_bindings_lack(top: str) -> None:
    public = {name for name in vars(FAKES[top]) if not name.startswith("_")}
    for known in fake_gpu.NAMES.values():
        assert public <= set(known[top])


def test_a_planted_name_is_found() -> None:
    found = used("config.set_flag(trt.BuilderFlag.FP16)\nparser.get_error(0).line()")
    assert found["BuilderFlag"] == {"FP16"} and found["IBuilderConfig"] == {"set_flag"}
    assert found["ParserError"] == {"line"}
    trt = fake_gpu.FakeTensorRT(lambda given, precision: given)
    with pytest.raises(AttributeError, match="BuilderFlag has no FP16"):
        trt.BuilderFlag.FP16  # noqa: B018
    with pytest.raises(AttributeError, match="has no IInt8Calibrator"):
        trt.IInt8Calibrator  # noqa: B018
