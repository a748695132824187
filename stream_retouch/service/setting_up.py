"""What every process of the service does before it serves."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator

import cv2

from stream_retouch.rtc.nvenc import uses_nvenc
from stream_retouch.service.garbage import set_aside
from stream_retouch.service.parts import Parts
from stream_retouch.settings import Settings

SWITCH_S = 0.001
"""How long a thread may keep the interpreter while another one waits for it. With Python's own 5 ms
a frame thread that comes back from a native call stands still for a good part of a frame's time
(measured: 3 ms of the p95 of the added delay, for one user); with 0.5 ms threads take it from each
other so often that 0.5 ms are lost."""


def set_up_front(settings: Settings) -> None:
    """Makes a process ready that has no pictures of its own.

    Raises:
        SettingsError: NVENC is asked for and cannot be had.
    """
    _set_up_logging(settings)
    if settings.video_encoder == "nvenc":
        uses_nvenc(settings.video_encoder)  # told before any media process stumbles over it


def _set_up_logging(settings: Settings) -> None:
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    for ours in ("stream_retouch", "engines"):
        logging.getLogger(ours).setLevel(settings.log_level.upper())


def set_up(settings: Settings) -> None:
    """Makes a process ready for pictures.

    Raises:
        SettingsError: NVENC is asked for and cannot be had.
    """
    cv2.setNumThreads(1)  # one thread per stage: more only fight over the cores
    _set_up_logging(settings)
    uses_nvenc(settings.video_encoder)  # tried and told now, not while the first session waits


def loading(load_parts: Callable[[], Parts]) -> Callable[[], Parts]:
    """`load_parts`, after which the collector looks no more at what it has loaded."""

    def load() -> Parts:
        parts = load_parts()
        set_aside()
        return parts

    return load


@contextlib.contextmanager
def switching(seconds: float) -> Iterator[None]:
    """Threads take turns with the interpreter so often."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(usual_s)
