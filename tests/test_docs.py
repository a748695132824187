"""What the documents say is what the code does."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from stream_retouch.language.plan import BLEMISHES, CATEGORIES, FACE, REGIONS, plan_from_json
from stream_retouch.metrics import (
    FRAME_RESULTS,
    LIMITED,
    QUEUES,
    REFUSALS,
    STAGES,
    Metrics,
)
from stream_retouch.service import control
from stream_retouch.service.resume import Ticket
from stream_retouch.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
METRICS = (ROOT / "docs" / "metrics.md").read_text()
DASHBOARD = json.loads((ROOT / "docs" / "grafana.json").read_text())
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()


def messages(block: int) -> list[dict[str, object]]:
    """The control messages in one of the ```json blocks of docs/protocol.md."""
    return [
        json.loads(line)
        for line in re.findall(r"```json\n(.*?)```", PROTOCOL, re.S)[block].splitlines()
    ]


def shown(value: object) -> str:
    if isinstance(value, bool):
        return "`on`" if value else "`off`"
    return "none" if value in (None, ()) else f"`{value}`"


def test_the_settings_table_has_every_setting_with_its_default() -> None:
    table = re.findall(r"^\| `(\w+)` \| (none|`[^`]+`) \| ", OPERATIONS, re.M)
    assert table == [(field.name, shown(field.default)) for field in fields(Settings)]


def test_the_metrics_table_has_every_metric() -> None:
    table = re.findall(r"^\| `(stream_retouch_\w+)", METRICS, re.M)
    assert sorted(table) == sorted(families())
    labels = (*FRAME_RESULTS, *STAGES, *QUEUES, *REFUSALS, *LIMITED)
    assert [label for label in labels if f"`{label}`" not in METRICS] == []


def families() -> list[str]:
    """The metrics by the names that a scrape shows."""
    collected = Metrics().registry.collect()
    return [metric.name + "_total" * (metric.type == "counter") for metric in collected]


def expressions() -> dict[str, list[str]]:
    """The queries of each panel of the dashboard."""
    return {
        panel["title"]: [target["expr"] for target in panel["targets"]]
        for panel in DASHBOARD["panels"]
        if panel["type"] != "row"
    }


def test_the_dashboard_shows_every_metric_and_no_other() -> None:
    named = set(re.findall(r"stream_retouch_\w+", " ".join(sum(expressions().values(), []))))
    suffixed = {name.removesuffix("_bucket") for name in named}
    assert suffixed == set(families())
    histograms = {m.name for m in Metrics().registry.collect() if m.type == "histogram"}
    assert {
        name.removesuffix("_bucket") for name in named if name.endswith("_bucket")
    } == histograms


def test_the_dashboards_queries_name_labels_and_values_that_there_are() -> None:
    labels = {
        name: set(re.findall(r"\w+", given or ""))
        for name, given in re.findall(r"^\| `(stream_retouch_\w+)(?:\{([\w,]+)\})?`", METRICS, re.M)
    }
    for title, queries in expressions().items():
        for query in queries:
            for by, name in re.findall(r"by \(([\w, ]+)\) \((?:rate|increase)\((\w+)", query):
                asked = set(re.findall(r"\w+", by)) - {"le"}
                assert asked <= labels[name.removesuffix("_bucket")], (title, query)
            for values in re.findall(r'result=~?"([^"]+)"', query):
                assert set(values.split("|")) <= set(FRAME_RESULTS), (title, query)


def test_the_dashboards_panels_do_not_overlap_and_have_their_own_ids() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    squares = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(squares)) == len(squares) and max(x for x, _ in squares) < 24


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
        control.resume(Ticket("t")),
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
