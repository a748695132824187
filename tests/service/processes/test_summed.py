"""The metrics of several processes as one page."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream_retouch.metrics import Metrics
from stream_retouch.service.processes.summed import summed


def figures(page: bytes) -> dict[tuple[str, str], float]:
    return {
        (sample.name, str(sample.labels)): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def test_every_figure_is_the_sum_and_the_page_is_still_one() -> None:
    one, other = Metrics(), Metrics()
    one.frame("fresh", 10)
    other.frame("fresh", 5)
    other.frame("late", 2)
    one.stage("engine", 0.004)
    other.stage("engine", 0.2)
    one.sessions.set(2)
    other.sessions.set(1)
    before = figures(one.render())
    page = summed([one.render(), other.render(), b""])
    after = figures(page)
    assert after.keys() == before.keys()
    assert after["stream_retouch_frames_total", "{'result': 'fresh'}"] == 15
    assert after["stream_retouch_frames_total", "{'result': 'late'}"] == 2
    assert after["stream_retouch_sessions", "{}"] == 3
    name = "stream_retouch_stage_seconds_%s"
    assert after[name % "count", "{'stage': 'engine'}"] == 2
    assert after[name % "sum", "{'stage': 'engine'}"] == pytest.approx(0.204)
    assert after[name % "bucket", "{'le': '0.004', 'stage': 'engine'}"] == 1
    assert page.count(b"# TYPE stream_retouch_sessions gauge") == 1
    assert page.endswith(b"\n")


def test_when_it_began_is_the_earliest() -> None:
    pages = [b"x_total 1.0\nx_created 7.5\n", b"x_total 2.0\nx_created 5.5\n"]
    assert summed(pages) == b"x_total 3.0\nx_created 5.5\n"


def test_one_page_stays_as_it_is() -> None:
    page = Metrics().render()
    assert figures(summed([page])) == figures(page)
