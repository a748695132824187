"""Admission: as many as fit by what is measured, the first always."""

from __future__ import annotations

import math

import pytest

from stream_retouch.service.admission import FULL, LAG_MS, LATE_SHARE, USUAL_CORES, Admission
from stream_retouch.service.load import IDLE, Load


def load(cores: float, engine: float = 0.0, lag_ms: float = 0.0, late: float = 0.0) -> Load:
    return Load(cores, engine, lag_ms, late)


def test_the_first_is_never_refused() -> None:
    admission = Admission(cores=0.1)
    for _ in range(100):
        admission.learn(1, load(5.0, 1.0))
    assert admission.refusal(0, load(9.0, 1.0, 500.0, 1.0), saving=True) is None


def test_before_anything_is_measured_a_stream_counts_with_its_usual_cost() -> None:
    admission = Admission(cores=2)
    assert admission.cost == USUAL_CORES
    assert [admission.refusal(n, IDLE, saving=False) is None for n in range(5)] == [
        (n + 1) * USUAL_CORES <= FULL * 2 or n == 0 for n in range(5)
    ]


@pytest.mark.parametrize(("cost", "carried"), [(0.25, 7), (0.45, 4), (0.9, 2), (1.9, 1)])
def test_as_many_are_taken_as_the_measured_cost_allows(cost: float, carried: int) -> None:
    admission = Admission(cores=2)
    admission.learn(1, load(cost))
    running = 0
    while admission.refusal(running, load(running * cost), saving=False) is None:
        running += 1
    assert running == carried


def test_young_sessions_count_though_the_load_does_not_show_them_yet() -> None:
    admission = Admission(cores=2)
    admission.learn(1, load(0.5))
    assert admission.refusal(3, load(0.1), saving=False) is not None


def test_load_of_others_on_the_machine_counts() -> None:
    admission = Admission(cores=2)
    admission.learn(1, load(0.4))
    assert admission.refusal(1, load(1.5), saving=False) is not None


def test_the_engine_s_time_is_shared_too() -> None:
    admission = Admission(cores=math.inf)
    for _ in range(30):
        admission.learn(1, load(0.5, engine=0.3))
    assert admission.refusal(2, load(1.0, engine=0.6), saving=False) is None
    assert admission.refusal(3, load(1.5, engine=0.9), saving=False) is not None


@pytest.mark.parametrize(
    ("now", "saving", "words"),
    [
        (load(4.0), False, "they need all of it"),
        (load(0.2, late=2 * LATE_SHARE), False, "their pictures are late already"),
        (load(0.2, lag_ms=2 * LAG_MS), False, "their pictures are late already"),
        (load(0.2), True, "does less for each of them already"),
    ],
)
def test_the_reason_is_a_sentence_with_the_remedy(now: Load, saving: bool, words: str) -> None:
    assert Admission(cores=4).refusal(3, now, saving=saving) == (
        f"this machine carries 3 streams and {words}; try again when one has ended, or run the "
        "service on more cores"
    )
    assert "carries 1 stream and" in (
        Admission(cores=0.5).refusal(1, load(0.4), saving=False) or ""
    )


def test_what_is_full_stays_full_until_there_is_room_for_sure_or_one_has_left() -> None:
    admission = Admission(cores=2)
    admission.learn(1, load(0.5))
    assert admission.refusal(2, load(1.35), saving=False)
    assert admission.refusal(2, load(1.25), saving=False)  # 1.75 of 2, would have fitted before
    assert admission.refusal(2, load(1.05), saving=False) is None
    assert admission.refusal(2, load(1.25), saving=False) is None
    assert admission.refusal(3, load(1.5), saving=False)
    assert admission.refusal(2, load(1.25), saving=False) is None  # as before the third


def test_a_dearer_stream_is_believed_sooner_than_a_cheaper_one() -> None:
    admission = Admission(cores=2)
    admission.learn(2, load(1.0))
    assert admission.cost == 0.5
    for _ in range(10):
        admission.learn(1, load(0.9))
    assert admission.cost > 0.85
    for _ in range(10):
        admission.learn(1, load(0.1))
    assert admission.cost > 0.6
