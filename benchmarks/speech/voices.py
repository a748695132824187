"""The voices that the benchmark speaks with; none of them is in the corpus."""

from __future__ import annotations

from training.language.voices import (
    HEARD_HZ,
    WIRE_HZ,
    Voice,
    can_speak,
    held,
    noisy,
    over_the_wire,
    spoken,
)

VOICES = (
    Voice("en-us", 165),
    Voice("en-us+f3", 160),
    Voice("en-gb+m3", 150),
    Voice("en-us+m1", 185),
)

__all__ = [
    "HEARD_HZ",
    "VOICES",
    "WIRE_HZ",
    "Voice",
    "can_speak",
    "held",
    "noisy",
    "over_the_wire",
    "spoken",
]
