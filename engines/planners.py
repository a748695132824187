"""The planner of that name: what ``--planner`` may say."""

from __future__ import annotations

from pathlib import Path

from stream_retouch.engine import Planner
from stream_retouch.errors import SettingsError
from stream_retouch.language.grammar import GrammarPlanner

EMBEDDED, GRAMMAR = "embedded", "grammar"


def chosen(name: str = EMBEDDED, model: str | None = None, key: str | None = None) -> Planner:
    """The planner, loaded.

    Args:
        name: embedded, grammar, the URL of an endpoint that speaks the OpenAI chat protocol, or a folder with a
            language model; where one of these does not answer, the embedded planner does.
        model: as the endpoint names it.
        key: the endpoint's secret.

    Raises:
        SettingsError: there is no such planner, or an endpoint without a model.
        WeightsError: the weights that ship, or those in the folder, are missing or broken.
    """
    if name == GRAMMAR:
        return GrammarPlanner()
    from engines.planner import EmbeddedPlanner

    if name == EMBEDDED:
        return EmbeddedPlanner.load()
    if name.startswith(("http://", "https://")):
        if not model:
            raise SettingsError(
                "an endpoint needs the name of its model; give --planner-model NAME"
            )
        from engines.remote_planner import RemotePlanner

        return RemotePlanner(name, model, EmbeddedPlanner.load(), key or "")
    folder = Path(name).expanduser()
    if "/" not in name and not folder.is_dir():
        raise SettingsError(
            f"no planner is named {name}; use {EMBEDDED}, {GRAMMAR}, a URL or a folder"
        )
    from engines.local_planner import LocalPlanner

    return LocalPlanner.load(folder, EmbeddedPlanner.load())
