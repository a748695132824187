"""What the running service lets uvicorn say."""

from __future__ import annotations

import logging

import pytest

from stream_retouch.service.running import is_worth_telling, uvicorn_level


@pytest.mark.parametrize(
    ("ours", "uvicorns"),
    [("debug", "warning"), ("info", "warning"), ("warning", "warning"), ("error", "error")],
)
def test_uvicorn_never_tells_of_requests_whose_query_holds_secrets(
    ours: str, uvicorns: str
) -> None:
    assert uvicorn_level(ours) == uvicorns


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("ASGI callable returned without completing handshake.", False),
        ("Exception in ASGI application", True),
    ],
)
def test_a_refused_websocket_is_no_error_of_ours(message: str, told: bool) -> None:
    record = logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, message, None, None)
    assert is_worth_telling(record) is told
