"""When the whole picture is searched for faces: at once or later, often or seldom."""

from __future__ import annotations

from typing import Literal

SEARCH_SIDE = 640
"""The finder sees a picture whose long side is at most this."""
SEARCH_EVERY_S = 0.5
"""Between two searches while all known faces are in view: for newcomers, and to verify."""
MISSING_EVERY_S = 0.1
"""The same while a face is hidden or was just lost, and others are in view."""
TIRED_S = 2.0
"""After so long without a face a search is made every RESTING_S only."""
RESTING_S = 0.1

_SLACK_S = 0.005
"""Frame times are rounded."""


class SearchPlan:
    """Says when to search. One stream; time is what `due` is told."""

    def __init__(self) -> None:
        self._since_s = 0.0
        self._empty_s = 0.0
        self._hurries = False

    def due(self, dt_s: float, *, in_view: bool, missing: bool) -> Literal["now", "later", "no"]:
        """What to do in this frame.

        Args:
            dt_s: since the frame before.
            in_view: a face is seen in this frame; then searching can wait until the frame is out.
            missing: somebody who was there is not seen.
        """
        self._since_s += dt_s
        self._empty_s = 0.0 if in_view or missing else self._empty_s + dt_s
        if not in_view:
            tired = self._empty_s > TIRED_S
            return "no" if tired and self._since_s < RESTING_S - _SLACK_S else "now"
        every_s = MISSING_EVERY_S if missing or self._hurries else SEARCH_EVERY_S
        return "later" if self._since_s >= every_s - _SLACK_S else "no"

    def searched(self) -> None:
        """A search was made."""
        self._since_s = 0.0
        self._hurries = False

    def hurry(self) -> None:
        """The next search is to come soon."""
        self._hurries = True


def search_width(width: int, height: int) -> int:
    """The width to which a picture is shrunk so that its long side is at most SEARCH_SIDE."""
    return max(1, min(width, round(width * SEARCH_SIDE / max(width, height))))
