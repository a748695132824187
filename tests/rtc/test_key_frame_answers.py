"""Requests for key frames are merged, and none is forgotten."""

from __future__ import annotations

from stream_retouch.rtc.key_frame_answers import LEAST_S, REPEAT_S, KeyFrameAnswers


def test_the_first_request_is_answered_by_the_next_frame() -> None:
    answers = KeyFrameAnswers()
    assert not answers.due(0.0) and answers.repeat_at is None
    answers.ask(1.0)
    assert answers.due(1.0)
    assert answers.repeat_at == 1.0 + REPEAT_S
    answers.made(1.02)
    assert not answers.due(1.03) and answers.repeat_at is None
    assert (answers.asked, answers.answered) == (1, 1)


def test_many_requests_make_one_key_frame_in_300_ms() -> None:
    answers, made = KeyFrameAnswers(), []
    for millisecond in range(0, 3000, 10):
        now = millisecond / 1000
        answers.ask(now, 0.02)
        if answers.due(now):
            made.append(now)
            answers.made(now)
    steps = [b - a for a, b in zip(made, made[1:], strict=False)]
    assert len(made) >= 9 and min(steps) >= LEAST_S - 1e-9
    assert answers.asked == 300 and answers.answered == len(made)


def test_what_was_asked_for_before_the_key_frame_could_arrive_is_answered_by_it() -> None:
    answers = KeyFrameAnswers()
    answers.made(5.0)
    answers.ask(5.09, 0.1)
    assert not answers.due(9.0)


def test_a_key_frame_that_was_lost_is_sent_again_as_soon_as_allowed() -> None:
    answers = KeyFrameAnswers()
    answers.made(5.0)
    answers.ask(5.11, 0.1)
    assert not answers.due(5.2) and not answers.due(5.299)
    assert answers.due(5.3)
    assert answers.repeat_at == 5.3 + REPEAT_S


def test_a_stream_of_many_viewers_may_wait_longer() -> None:
    answers = KeyFrameAnswers(least_s=0.5)
    answers.ask(1.0)
    answers.made(1.0)
    answers.ask(1.2)
    assert not answers.due(1.49) and answers.due(1.5)


def test_a_key_frame_that_nobody_asked_for_is_no_answer() -> None:
    answers = KeyFrameAnswers()
    answers.made(1.0)
    assert answers.answered == 0
