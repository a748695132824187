"""What is left out when the machine cannot do everything: rungs, and when to change them.

Fault: a machine that is asked for a little more than it can do makes every picture late, and soon
very late. Cure: less is done for each picture, in steps that a viewer minds as little as possible,
until every picture is on time again:

    0  every frame gets its own edit
    1  every second frame asks the engine; the others show the last edit, moved with the face
    2  every third, and the picture is sent at 3/4 of its size
    3  every third, at half size
    4  the picture goes through as it came, at half size, and the user is told

Up within a second or two of being late; down a step at a time, seconds after there is room, and
more patiently every time that proved to be too early. Nothing here reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rung:
    """How much is done for a frame."""

    number: int
    """0 for everything; more saves more."""
    engine_every: int
    """One frame of so many asks the engine."""
    scale: float
    """Sides of the sent picture, of those that came."""
    cost: float
    """Processor time of a frame, of that on rung 0: from the stages measured at 720p in H.264
    (tracking 3.2 ms, crop 0.6, engine 6.3, paste 1.1, encoding 4.4, decoding and packets 3)."""
    bears: float
    """How much lateness is borne before the next step up, of what is on rung 0: where a machine is
    slow because of others, doing less does not help, and giving up all retouching helps least."""
    note: str
    """What the user is told."""

    @property
    def retouches(self) -> bool:
        """Whether the filter is on at all."""
        return self.engine_every > 0


RUNGS = (
    Rung(0, 1, 1.0, 1.0, 1.0, "every picture is retouched afresh again"),
    Rung(1, 2, 1.0, 0.83, 1.0, "this machine is busy: edits are used for two pictures each"),
    Rung(2, 3, 0.75, 0.68, 1.4, "this machine is busy: the picture is sent a quarter smaller"),
    Rung(3, 3, 0.5, 0.61, 3.0, "this machine is very busy: the picture is sent at half size"),
    Rung(4, 0, 0.5, 0.21, 3.0, "this machine is overloaded: the picture goes through as it comes, "
         "and is retouched again as soon as there is room"),
)  # fmt: skip
FRESH = RUNGS[0]

PRESSED_S = 1.0
"""So long frames are late before a step up; calm moments count back."""
SETTLE_S = 1.5
"""After a step the effect is awaited for so long before the next one up."""
GRACE_S = 3.0
"""So long a new session, whose first frames are always late, stays where it is."""
CALM_S = 5.0
"""So long there is room before a step down, at first."""
MOST_CALM_S = 300.0
"""The same, after it was too early again and again."""
RELAPSE_S = 20.0
"""A step up so soon after one down means that the latter was too early."""
_LONGEST_STEP_S = 1.0


class Ladder:
    """The rung of one session. `now` is any monotonic seconds."""

    def __init__(self, now: float) -> None:
        self.rung = FRESH
        self._now = now
        self._settled_at = now + GRACE_S
        self._came_down_at: float | None = None
        self._patience_s = CALM_S
        self._pressed_s = self._calm_s = 0.0

    def update(self, now: float, *, pressed: bool, calm: bool) -> bool:
        """Notes how the last moment was, and steps up when it was bad for long enough.

        Args:
            pressed: frames are late, or will soon be.
            calm: they are well in time. Neither, between the two, changes nothing.

        Returns:
            Whether there is another rung now.
        """
        step_s = min(max(now - self._now, 0.0), _LONGEST_STEP_S)
        self._now = now
        if pressed:
            self._pressed_s += step_s
            self._calm_s = 0.0
        elif calm:
            self._pressed_s = max(0.0, self._pressed_s - step_s)
            self._calm_s += step_s
        if now < self._settled_at:
            self._pressed_s = 0.0
            return False
        self._trust(now)
        if self._pressed_s < PRESSED_S or self.rung is RUNGS[-1]:
            return False
        if self._came_down_at is not None:  # within RELAPSE_S
            self._patience_s = min(2 * self._patience_s, MOST_CALM_S)
            self._came_down_at = None
        self._go(now, self.rung.number + 1)
        return True

    @property
    def may_descend(self) -> bool:
        """Whether it was calm for long enough; there must be room for it, too."""
        return self.rung is not FRESH and self._calm_s >= self._patience_s

    def descend(self, now: float) -> None:
        """One step down."""
        self._came_down_at = now
        self._go(now, self.rung.number - 1)

    def _trust(self, now: float) -> None:
        """A step down that has held: the next one need not wait so long."""
        if self._came_down_at is not None and now - self._came_down_at > RELAPSE_S:
            self._came_down_at = None
            self._patience_s = max(CALM_S, self._patience_s / 2)

    def _go(self, now: float, number: int) -> None:
        self.rung = RUNGS[number]
        self._settled_at = now + SETTLE_S
        self._pressed_s = self._calm_s = 0.0


OLDEST_S = 0.14
"""An edit is not made to last longer than this, just below what is shown at full strength: with a
slow camera every frame asks the engine."""


class Tempo:
    """Which frames ask the engine, when not all do."""

    def __init__(self) -> None:
        self._frames = 0
        self._version: int | None = None
        self._asked_s = self._before_s = 0.0

    def asks(self, rung: Rung, version: int, pts_s: float) -> bool:
        """Whether the frame of that time asks; a new look is asked for at once."""
        self._frames += 1
        next_s = pts_s + max(pts_s - self._before_s, 0.0)
        self._before_s = pts_s
        due = (
            self._frames >= rung.engine_every
            or version != self._version
            or not self._asked_s <= next_s <= self._asked_s + OLDEST_S
        )
        if due:
            self._frames, self._version, self._asked_s = 0, version, pts_s
        return due
