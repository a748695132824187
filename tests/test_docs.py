"""What the documents say is what the code does."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from stream_retouch.language.plan import BLEMISHES, CATEGORIES, FACE, REGIONS, plan_from_json
from stream_retouch.metrics import FRAME_RESULTS, STAGES, Metrics
from stream_retouch.service import control
from stream_retouch.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()


def messages(block: int) -> list[dict[str, object]]:
    """The control messages in one of the ```json blocks of docs/protocol.md."""
    return [
        json.loads(line)
        for line in re.findall(r"```json\n(.*?)```", PROTOCOL, re.S)[block].splitlines()
    ]


def shown(value: object) -> str:
    return "none" if value in (None, ()) else f"`{value}`"


def test_the_settings_table_has_every_setting_with_its_default() -> None:
    table = re.findall(r"^\| `(\w+)` \| (none|`[^`]+`) \| ", OPERATIONS, re.M)
    assert table == [(field.name, shown(field.default)) for field in fields(Settings)]


def test_the_metrics_table_has_every_metric() -> None:
    table = re.findall(r"^\| `(stream_retouch_\w+)", OPERATIONS, re.M)
    families = [
        metric.name + "_total" * (metric.type == "counter")
        for metric in Metrics().registry.collect()
    ]
    assert sorted(table) == sorted(families)
    assert all(f"`{label}`" in OPERATIONS for label in (*FRAME_RESULTS, *STAGES))


def test_the_messages_of_the_client_are_understood() -> None:
    taken = [control.parse(json.dumps(message), Settings()) for message in messages(0)]
    assert not [message for message in taken if isinstance(message, control.Refusal)]
    assert tuple(message["type"] for message in messages(0)) == control.KNOWN_TYPES


def test_the_messages_of_the_service_have_the_keys_that_it_sends() -> None:
    told = {message["type"]: message for message in messages(1)}
    plan = plan_from_json(told["plan"]["plan"])
    answers = (
        control.ack("7", 3),
        control.plan("7", 4, plan, ""),
        control.applied(4, 12.3, 118.2),
        control.rejected("7", ""),
        control.error("8", ""),
        control.heard("", final=False),
    )
    for answer in answers:
        assert list(told[answer["type"]]) == list(answer)


@pytest.mark.parametrize("name", [*CATEGORIES, BLEMISHES, *REGIONS, FACE])
def test_every_category_and_region_is_named(name: str) -> None:
    assert re.search(rf"\b{name}\b", PROTOCOL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_inside_the_tree_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())
    places = {str((document.parent / link).resolve().relative_to(ROOT)) for link in links}
    assert {place for place in places if not (ROOT / place).exists()} == set()
