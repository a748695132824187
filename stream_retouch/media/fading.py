"""What one face shows over time.

Its newest edit, used again for later frames while it is young, and what that replaced, fading out.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stream_retouch.media.edits import Edit, mixed, scaled, tinted
from stream_retouch.media.smoothing import LayerSmoother
from stream_retouch.media.texture import Texture

FADE_IN_S = 0.3
"""A new look fades in over this time while the one before fades out."""
REUSE_S = 0.150
"""So long an edit is used for later frames at full strength."""
FADE_OUT_S = 0.100
"""Then it fades out over this time."""
FIRST_STEP_S = 0.1
"""The first frame of a fade stands for at most this much of it, however long ago the one before
was."""


class FaceEdit:
    """The edit of one face. All times are pts in seconds and do not step back."""

    def __init__(self, fade_in_s: float = FADE_IN_S, *, smooth: bool = True) -> None:
        self._fade_in_s, self._smooth = fade_in_s, smooth
        self.version: int | None = None
        """Version of the look that is shown or fading in; None before the first."""
        self._texture = Texture()
        self._smoother = LayerSmoother()
        self._edit: Edit | None = None
        self._edit_s = 0.0  # time of the crop that it was computed from
        self._outgoing: Edit | None = None  # what was shown when the fade began; it only gets less
        self._fade_began_s = -math.inf

    def turn(self, version: int, before_s: float, now_s: float, *, fade_in: bool = True) -> None:
        """What was shown so far fades out, and edits of `version` fade in or are there at once.

        Args:
            version: of the look that begins.
            before_s: time of the last frame that was shown.
            now_s: time of the first frame of the fade; something of the new look is seen on it.
            fade_in: whether there is a fade.
        """
        fade_in = fade_in and self._fade_in_s > 0
        self._outgoing = self.at(before_s) if fade_in else None
        self._fade_began_s = max(before_s, now_s - FIRST_STEP_S) if fade_in else -math.inf
        self._edit = None
        self._smoother.reset()
        self._texture.reset()
        self.version = version

    def resume(self, version: int, before_s: float) -> None:
        """The face was out of sight and is back: it takes up what it showed, as fresh as then.

        Its own strength fades it in, so nothing else does; a look that changed meanwhile is not
        seen fading out.

        Args:
            version: of the look now.
            before_s: time of the last frame that was shown.
        """
        if self.version != version:
            self.turn(version, before_s, before_s, fade_in=False)
        self._outgoing, self._fade_began_s = None, -math.inf
        self._edit_s = max(self._edit_s, before_s)

    def learn(
        self,
        edit: Edit,
        crop: NDArray[np.uint8],
        regions: NDArray[np.float32],
        crop_s: float,
        before_s: float,
        now_s: float,
        *,
        strength: float,
        overlay: bool,
    ) -> None:
        """Takes an edit of `version`.

        Args:
            edit: as the engine gave it; its texture is measured here.
            crop: (CROP_SIZE, CROP_SIZE, 3) RGB from which it was computed.
            regions: (12, REQUEST_SIZE, REQUEST_SIZE) 0..1, the face's maps over that crop.
            crop_s: time of the crop.
            before_s: time of the last frame that was shown.
            now_s: time of the frame that will show it.
            strength: 0..1.
            overlay: whether to make it visible.
        """
        if self._edit is not None and crop_s < self._edit_s:
            return
        if self._edit is not None and self._hold(before_s) < 1.0 and self.version is not None:
            # It had begun to fade for want of answers: it comes back as gently as it went.
            self.turn(self.version, before_s, now_s)
        edit = replace(edit, texture=self._texture.of(crop, regions, edit, crop_s))
        if self._smooth:
            edit = self._smoother.apply(edit, crop, crop_s)
        edit = scaled(edit, strength)
        self._edit = tinted(edit) if overlay else edit
        self._edit_s = crop_s

    def at(self, pts_s: float) -> Edit | None:
        """What to paste on the frame of that time; None for nothing."""
        since_s = pts_s - self._fade_began_s
        risen = 1.0 if since_s >= self._fade_in_s else max(since_s / self._fade_in_s, 0.0)
        parts = []
        if self._outgoing is not None:
            parts.append((self._outgoing, 1.0 - risen))
        if self._edit is not None:
            parts.append((self._edit, risen * self._hold(pts_s)))
        return mixed(parts)

    def is_reused(self, pts_s: float) -> bool:
        """Whether the frame of that time shows an edit of an earlier crop; looks that fade out do
        not count."""
        return self._edit is not None and self._edit_s != pts_s and self._hold(pts_s) > 0.0

    def _hold(self, pts_s: float) -> float:
        """The share of the edit that is still shown at that time for its age."""
        late_s = pts_s - self._edit_s - REUSE_S
        return min(max(1.0 - late_s / FADE_OUT_S, 0.0), 1.0)
