"""The one-slot mailbox."""

from __future__ import annotations

import threading

import pytest

from stream_retouch.latest import Closed, Latest


def test_the_newest_item_wins_and_the_one_it_replaced_is_counted() -> None:
    box: Latest[int] = Latest()
    assert [box.put(1), box.put(2), box.put(3)] == [False, True, True]
    assert box.try_get() == 3
    assert box.dropped == 2


def test_an_item_is_taken_once() -> None:
    box: Latest[str] = Latest()
    box.put("only")
    assert box.try_get() == "only"
    assert box.try_get() is None
    assert box.get(timeout=0) is None


def test_an_item_that_is_false_is_still_an_item() -> None:
    box: Latest[int] = Latest()
    box.put(0)
    assert box.put(0) is True
    assert box.get(timeout=0) == 0


def test_what_was_left_before_closing_can_still_be_taken() -> None:
    box: Latest[int] = Latest()
    box.put(7)
    box.close()
    box.close()
    assert box.closed
    assert box.put(8) is False
    assert box.get() == 7
    with pytest.raises(Closed):
        box.get()
    with pytest.raises(Closed):
        box.try_get()


def test_a_waiting_reader_is_woken_by_an_item_and_by_closing() -> None:
    box: Latest[int] = Latest()
    taken: list[int | None] = []
    ended = threading.Event()

    def read() -> None:
        try:
            while True:
                taken.append(box.get())
                received.set()
        except Closed:
            ended.set()

    received = threading.Event()
    reader = threading.Thread(target=read)
    reader.start()
    box.put(1)
    assert received.wait(10)
    box.close()
    assert ended.wait(10)
    reader.join(10)
    assert taken == [1]
