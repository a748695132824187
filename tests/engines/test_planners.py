"""engines.planners: the planner that the settings name."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.local_planner import LocalPlanner
from engines.planner import EmbeddedPlanner
from engines.planners import chosen
from engines.remote_planner import RemotePlanner
from stream_retouch.errors import SettingsError, WeightsError
from stream_retouch.language.grammar import GrammarPlanner
from stream_retouch.language.plan import Dialogue
from tests.engines.chats import save_llama


def test_the_planner_is_the_one_that_is_named() -> None:
    assert isinstance(chosen("grammar"), GrammarPlanner)
    assert isinstance(chosen(), EmbeddedPlanner)
    assert isinstance(chosen("http://127.0.0.1:9/v1", "a-model"), RemotePlanner)


def test_the_one_that_ships_understands() -> None:
    plan, reply = chosen().plan("please get rid of the zits on my chin", Dialogue())
    assert [(edit.category, edit.regions) for edit in plan.edits] == [("pimple", ("chin",))]
    assert "chin" in reply


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("parrot", "no planner is named parrot; use embedded, grammar, a URL or a folder"),
        ("http://127.0.0.1:9/v1", "needs the name of its model; give --planner-model NAME"),
    ],
)
def test_what_cannot_be_is_refused_with_the_remedy(name: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        chosen(name)


def test_a_folder_is_a_planner_by_its_path(tmp_path: Path) -> None:
    save_llama(tmp_path)
    assert isinstance(chosen(str(tmp_path)), LocalPlanner)
    with pytest.raises(WeightsError, match="gone: no such folder; name a folder"):
        chosen(f"{tmp_path}/gone")


def test_a_folder_here_is_a_planner_by_its_bare_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "parrot").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match="parrot: no config.json in it"):
        chosen("parrot")
