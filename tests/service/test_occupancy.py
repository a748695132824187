"""Several processes on one machine: what they take together decides for each of them."""

from __future__ import annotations

import pytest

from stream_retouch.service.admission import Admission
from stream_retouch.service.load import IDLE, Load
from stream_retouch.service.occupancy import NOBODY, Occupancy, together


def test_what_they_take_adds_up_and_the_latest_is_how_late_they_are() -> None:
    one = Occupancy(2, 5, Load(0.9, 0.4, 3.0, 0.02), saving=False)
    other = Occupancy(1, 0, Load(0.5, 0.6, 8.0, 0.01), saving=True)
    assert together([one, other]) == Occupancy(
        3, 5, Load(pytest.approx(1.4), 0.6, 8.0, 0.02), saving=True
    )
    assert together([]) == NOBODY


@pytest.mark.parametrize(
    ("elsewhere", "room"),
    [
        (NOBODY, True),
        (Occupancy(1, 0, Load(0.5, 0.9, 0.0, 0.0)), True),  # its engine is its own
        (Occupancy(2, 0, Load(1.0, 0.0, 0.0, 0.0)), False),
        (Occupancy(2, 0, IDLE), False),  # young: their load does not show yet
        (Occupancy(1, 0, Load(0.5, 0.0, 50.0, 0.0)), False),
        (Occupancy(1, 0, Load(0.5, 0.0, 0.0, 0.5)), False),
        (Occupancy(1, 0, Load(0.5, 0.0, 0.0, 0.0), saving=True), False),
    ],
)
def test_one_more_has_to_fit_beside_those_elsewhere(elsewhere: Occupancy, room: bool) -> None:
    admission = Admission(cores=2)
    admission.learn(1, Load(0.5, 0.1, 0.0, 0.0))
    here = Load(0.5, 0.1, 0.0, 0.0)
    assert (admission.refusal(1, here, saving=False, elsewhere=elsewhere) is None) is room


def test_the_first_of_a_process_is_not_the_first_of_the_machine() -> None:
    admission = Admission(cores=1)
    full = Occupancy(1, 0, Load(0.9, 0.0, 0.0, 0.0))
    assert admission.refusal(0, IDLE, saving=False, elsewhere=NOBODY) is None
    why = admission.refusal(0, IDLE, saving=False, elsewhere=full)
    assert why is not None and why.startswith("this machine carries 1 stream and they need all")


def test_more_is_done_again_only_where_there_is_room_beside_those_elsewhere() -> None:
    admission = Admission(cores=2)
    here = Load(0.5, 0.0, 0.0, 0.0)
    assert admission.has_room(0.3, here)
    assert not admission.has_room(0.3, here, Occupancy(2, 0, Load(1.1, 0.0, 0.0, 0.0)))
