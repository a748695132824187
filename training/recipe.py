"""What a training is told: one TOML file, read into frozen values.

``training/configs`` holds those that made what ships.

A recipe has a table of its own keys, ``[data]``, ``[network]`` (fields of `RetouchGPTConfig`), ``[loss]`` (fields of
`losses.Weights`), ``[reinforce]`` and one ``[[stages]]`` table a stage, in which ``[stages.loss]`` overrides
``[loss]``. A key that is not known is refused, for a misspelt one would train with a default and nobody would know.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from engines.retouchgpt.config import RetouchGPTConfig
from stream_retouch.errors import SettingsError
from training.examples import OWN_SHARE, SIDE_SHARES, SIDES
from training.losses import Weights


@dataclass(frozen=True, slots=True)
class Reinforce:
    """The reinforcement stage, see `training.reinforce`."""

    weight: float = 0.1
    """Of what it adds to the loss."""
    steps: int = 2
    """T: retouch steps one after the other on the network's own result."""
    share: float = 0.34
    """Of each batch; the rest of it is trained without."""
    elsewhere: float = 0.5
    """lambda: what a change of evidence that nobody asked for costs."""
    discount: float = 0.9
    """eta of equation 11."""
    rate: float = 0.1
    """zeta of equation 11."""


@dataclass(frozen=True, slots=True)
class Data:
    """What is trained on, and measured while it is."""

    sides: tuple[int, ...] = SIDES
    """Sides of the aligned pictures, pixels: multiples of the network's layer."""
    side_shares: tuple[float, ...] = SIDE_SHARES
    """How often each is drawn; they sum to 1."""
    plans_a_face: int = 1
    """How many examples of a batch are made of one painted face, each with a plan of its own: painting costs more than
    asking once more."""
    lent_tones: float = 0.5
    """How often a portrait's natural tones are changed, see `training.tones`."""
    own_marks: float = OWN_SHARE
    """How often a portrait's own marks, where they are known, count as painted ones do."""
    good_cameras: float = 0.0
    """How often a painted face is seen by a camera without faults; of the others, see `training.webcam`, a sixth show
    none."""
    validation_scenes: int = 24
    """Painted on validation persons and measured at every save; 0 for none."""
    ffhqr: str = ""
    """Folder that holds ``face_retouching``; empty for none."""
    ffhqr_share: float = 0.5
    """Of the examples, where there is such a folder; 1 needs no portraits."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: it starts from the averaged weights of the one before, with a fresh optimizer and schedule."""

    name: str
    minutes: float
    """How long. The learning rate falls with whichever is further, the clock or the steps."""
    steps: int | None = None
    """At most so many."""
    lr: float = 2e-3
    paces: Mapping[str, float] = field(default_factory=dict)
    """Beginnings of parameters' names -> share of the learning rate; the first that fits counts, none is a whole
    one."""
    settled: bool = False
    """Weigh the losses from the start as at a stage's end; otherwise evidence counts more and untouched skin less at
    first."""
    fixed_norms: bool = False
    """Batch norms scale by the statistics of the weights begun with, as they serve, not by the batch's."""
    freeze_llm: bool | None = None
    """None: only a first stage from random weights trains the LLM, which is frozen once it has learned to speak."""
    reinforce: bool = False
    """With the terms of equations 10 to 12."""
    loss: Weights = field(default_factory=Weights)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training."""

    stages: tuple[Stage, ...]
    seed: int = 1
    batch: int = 12
    processes: int = 1
    """That train together, one core or GPU each."""
    workers: int = 1
    """Painting processes of each."""
    threads: int = 1
    """torch threads of each."""
    device: str = "cpu"
    bf16: bool = False
    average: float = 0.999
    """Decay of the weight average, which ships."""
    init: str = ""
    """Weights to start from; empty for random ones."""
    log_s: float = 60.0
    """Seconds between log lines."""
    save_s: float = 300.0
    """Seconds between checkpoints."""
    data: Data = field(default_factory=Data)
    network: RetouchGPTConfig = field(default_factory=RetouchGPTConfig)
    reinforce: Reinforce = field(default_factory=Reinforce)


def read(path: Path) -> Recipe:
    """The recipe of a TOML file.

    Raises:
        SettingsError: it cannot be read, or says something that is not known or not possible.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise SettingsError(f"{path}: no such recipe; name one with --config") from problem
    except tomllib.TOMLDecodeError as problem:
        raise SettingsError(f"{path}: no TOML ({problem}); correct that line") from problem
    try:
        return from_values(values)
    except SettingsError as problem:
        raise SettingsError(f"{path}: {problem}") from None


def from_values(values: Mapping[str, Any]) -> Recipe:
    """The recipe that the tables of a TOML file tell."""
    tables = dict(values)
    loss = _made(Weights, tables.pop("loss", {}), "[loss]")
    network = _made(RetouchGPTConfig, tables.pop("network", {}), "[network]")
    data = _made(Data, tables.pop("data", {}), "[data]")
    reinforce = _made(Reinforce, tables.pop("reinforce", {}), "[reinforce]")
    rows = tables.pop("stages", [])
    if not isinstance(rows, list) or not rows:
        raise SettingsError("no [[stages]]; give at least one with a name and minutes")
    recipe: Recipe = _made(
        Recipe, tables, "the recipe", stages=tuple(_stage(r, loss) for r in rows)
    )
    recipe = replace(recipe, data=data, network=network, reinforce=reinforce)
    _possible(recipe)
    return recipe


def shortened(recipe: Recipe, minutes: float | None, steps: int | None) -> Recipe:
    """The recipe in so many minutes, at most so many steps, in all: every stage keeps its share.

    Args:
        minutes: None leaves the clock as it is.
        steps: None leaves the steps as they are.
    """
    whole, before, stages = sum(s.minutes for s in recipe.stages), 0.0, []
    for stage in recipe.stages:
        after = before + stage.minutes
        if steps is not None:
            most = round(steps * after / whole) - round(steps * before / whole)
            stage = replace(stage, steps=most)
        if minutes is not None:
            stage = replace(stage, minutes=stage.minutes * minutes / whole)
        stages.append(stage)
        before = after
    return replace(recipe, stages=tuple(stages))


def _stage(values: Any, loss: Weights) -> Stage:
    if not isinstance(values, dict):
        raise SettingsError("a stage is no table; write [[stages]]")
    where = f"stage {values.get('name', '?')!r}"
    values = dict(values)
    own = _checked(Weights, values.pop("loss", {}), f"[stages.loss] of {where}")
    stage: Stage = _made(Stage, values, where, loss=replace(loss, **own))
    return stage


def _made(kind: type, values: Any, where: str, **given: Any) -> Any:
    try:
        return kind(**_checked(kind, values, where, tuple(given)), **given)
    except (TypeError, ValueError) as problem:
        raise SettingsError(f"{where}: {problem}; correct it") from None


def _checked(kind: type, values: Any, where: str, given: tuple[str, ...] = ()) -> dict[str, Any]:
    """The values as fields of a dataclass, of the type that their defaults have."""
    if not isinstance(values, dict):
        raise SettingsError(f"{where} is no table; give keys with values")
    tables = ("data", "network", "reinforce") if kind is Recipe else ()
    known = {f.name: f for f in fields(kind) if f.name not in (*given, *tables, "loss")}
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise SettingsError(f"unknown key {name!r} in {where}; known are {', '.join(known)}")
        found[name] = _typed(str(known[name].type), value, f"{name} in {where}")
    return found


_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "str": (str,),
    "tuple": (list,),
    "Mapping": (dict,),
}
_TOLD = {"tuple": "a list", "Mapping": "a table of names with numbers"}


def _typed(declared: str, value: Any, where: str) -> Any:
    """The value, checked against the text of its field's annotation."""
    base = declared.removesuffix(" | None").partition("[")[0]
    fits = isinstance(value, _KINDS[base]) and (base == "bool" or not isinstance(value, bool))
    if base == "Mapping" and fits:
        fits = all(isinstance(v, int | float) and v >= 0 for v in value.values())
    if not fits:
        told = _TOLD.get(base, f"a value of type {base}")
        raise SettingsError(f"{where} is {value!r}; give {told}")
    if base == "tuple":
        return tuple(value)
    return float(value) if base == "float" else value


def _possible(recipe: Recipe) -> None:
    layer, data = recipe.network.layer_size, recipe.data
    odd = [side for side in data.sides if side % layer]
    if odd or not data.sides:
        raise SettingsError(
            f"sides in [data] are {list(data.sides)}; give multiples of the layer, {layer}"
        )
    if len(data.sides) != len(data.side_shares) or abs(sum(data.side_shares) - 1) > 1e-6:
        raise SettingsError("side_shares in [data] do not fit sides; give a share for each, sum 1")
    if not 0 <= data.ffhqr_share <= 1:
        raise SettingsError("ffhqr_share in [data] is no share; give a number from 0 to 1")
    if min(recipe.batch, recipe.processes) < 1 or recipe.workers < 0:
        raise SettingsError(
            "batch and processes must be at least 1, workers at least 0; raise them"
        )
    if any(stage.minutes <= 0 for stage in recipe.stages):
        raise SettingsError("a stage has no time; give minutes above 0")
    if recipe.reinforce.steps < 1 or not 0 < recipe.reinforce.share <= 1:
        raise SettingsError(
            "[reinforce] does nothing; give steps of at least 1 and a share in 0..1"
        )
