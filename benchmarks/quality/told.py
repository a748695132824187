"""How a command of this package ends: a table and one line of JSON, or a sentence that says what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import cv2

from stream_retouch.errors import StreamRetouchError


def told(
    command: str, measured: Callable[[], dict[str, Any]], table: Callable[[dict[str, Any]], str]
) -> int:
    """Prints what `measured` finds, on one thread of OpenCV's; returns the exit code."""
    cv2.setNumThreads(1)
    try:
        found = measured()
    except StreamRetouchError as problem:
        print(f"\nbenchmarks.quality.{command}: {problem}", file=sys.stderr)
        return 1
    print(table(found))
    print(json.dumps(found))
    return 0
