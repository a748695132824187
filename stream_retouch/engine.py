"""The seam between the service and whatever runs the networks, and the values that cross it.

The service (``stream_retouch``) knows these Protocols only; the implementations live in ``engines`` and are
named once, as strings, in ``cli.py``. Everything that crosses is numpy, so fakes, eager PyTorch and compiled
engines share one contract and the frame path is tested without a model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from stream_retouch.language.plan import Dialogue, InstructionPlan

CROP_SIZE = 256
"""Side of an aligned face crop, pixels: the unit of all crop coordinates, whatever a network's size."""
LAYER_SIZE = 128
"""Side of the edit layer of a network of CROP_SIZE, pixels; a layer covers the whole crop."""
CROP_SIZES = (CROP_SIZE, 2 * CROP_SIZE)
"""Sides of the crops that networks look at, pixels: the second sees the same part of the picture twice as finely.
A network's edit layer has half the side of its crop."""
REQUEST_SIZE = 32
"""Side of a region map and of the request map, cells; the map covers the whole crop."""
REQUEST_CHANNELS = 17
"""One request channel per category, in the order of ``language.plan.Category``."""
TEXT_WIDTH = 64
"""Width of the pooled text feature f_txt."""
BLOCKS = 4
"""Transformer blocks that alpha, beta and gamma modulate."""
BLOCK_WIDTH = 128
"""Width of a transformer block."""

OFFSET_STEP = 1.0
"""Luma code values (0..255) that one step of the 8-bit offset channel stands for; its neutral code is 128."""
CHROMA_STEP = 0.5
"""Chroma code values that one step of the 8-bit Cb and Cr channels stands for; their neutral code is 128."""

# The face points that cross the seam: a subset of MediaPipe's 478-point face mesh topology, by its indices.
# "left" and "right" are the person's own. The order is the contract between FaceFinder and media.regions.
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
RIGHT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
LEFT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
NOSE = (168, 6, 197, 195, 5, 4, 1, 2, 98, 97, 326, 327, 129, 358, 64, 294, 48, 278)
LANDMARKS: tuple[int, ...] = FACE_OVAL + RIGHT_EYE + LEFT_EYE + RIGHT_BROW + LEFT_BROW + LIPS + NOSE
"""MediaPipe face-mesh index of every landmark, in the order in which FaceFinder returns them."""


@dataclass(frozen=True, slots=True)
class Conditioning:
    """How to retouch, computed once per instruction (equations 2 to 4 of the RetouchGPT paper)."""

    f_txt: NDArray[np.float32]
    """(TEXT_WIDTH,) pooled text feature of the plan in canonical words."""
    alpha: NDArray[np.float32]
    """(BLOCKS, BLOCK_WIDTH) gain of each attention block, 1 = neutral."""
    beta: NDArray[np.float32]
    """(BLOCKS, BLOCK_WIDTH) offset of each attention block, 0 = neutral."""
    gamma: NDArray[np.float32]
    """(BLOCKS, BLOCK_WIDTH) offset of queries, keys and values, 0 = neutral."""
    agrees: bool = True
    """Whether the plan decoded back from the imperfection prompts f_r equals the plan that went in."""


@dataclass(frozen=True, slots=True)
class EditLayer:
    """What to change in one aligned crop, 8 bits a channel, to be applied to the frame at full resolution.

    In full-range BT.601 code values: ``Y' = Y + M*((g-1)*(Y-mu-t) + o)`` and ``Cb' = Cb + M*((g-1)*(Cb-<Cb>) + cb)``,
    Cr alike, where t is the skin's own fine texture and <Cb> the mean around (media.paste).
    """

    codes: NDArray[np.uint8]
    """(4, L, L): flattening 1-g (0..255 for 0..1, neutral 0), then o, cb, cr (neutral 128, steps OFFSET_STEP and
    CHROMA_STEP). L is half the side of the engine's crop."""
    mask: NDArray[np.uint8]
    """(L, L) imperfection mask M, 0..255 for 0..1: where the edit changes the picture by what counts; exactly 0 where
    nothing was requested."""
    skin_luma: float
    """mu, the face's mean skin luma, full-range BT.601 code values 0..255."""


class RetouchEngine(Protocol):
    """Runs the network on aligned crops. The caller sees to it that there are no more calls than `calls_at_once`."""

    name: str
    """How the engine is chosen and reported, for example ``openvino``."""

    @property
    def crop_size(self) -> int:
        """Side of the crops that its network looks at, pixels: one of CROP_SIZES. It does not change."""
        ...

    @property
    def calls_at_once(self) -> int:
        """Calls that it takes at the same time, from different threads. It does not change."""
        ...

    @property
    def crops_at_once(self) -> int:
        """Crops of one call that take hardly longer than one would: 1 on a CPU. It does not change."""
        ...

    @property
    def cores_per_call(self) -> int:
        """CPU cores that a call keeps busy: 0 on a GPU. It does not change."""
        ...

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        """One edit layer per crop.

        Args:
            crops: (B, crop_size, crop_size, 3) RGB, full range, B >= 1.
            requests: (B, REQUEST_CHANNELS, REQUEST_SIZE, REQUEST_SIZE) amount 0..1 of each category at each place.
            conditionings: one per crop.
        """
        ...

    def close(self) -> None:
        """Frees the device. May be called twice."""
        ...


@runtime_checkable
class Batching(Protocol):
    """An engine that puts the crops of several calls into one batch."""

    on_batch: Callable[[int], None]
    """Called with the number of crops of every batch; any thread."""

    @property
    def busy_s(self) -> float:
        """How long its device has worked so far, seconds."""
        ...


@runtime_checkable
class Hasty(Protocol):
    """An engine that uses idle cores to answer earlier."""

    @property
    def haste_s(self) -> float:
        """Processor time it has spent on that so far, beyond what the same calls take when others use the cores too,
        seconds."""
        ...


class Conditioner(Protocol):
    """Turns a plan into a conditioning: text encoder, prompt learner, LLM, control generator. Blocking, slow."""

    def prepare(self, plan: InstructionPlan, key_crop: NDArray[np.uint8] | None) -> Conditioning:
        """The conditioning of `plan`, seen on `key_crop` or on no face at all.

        Args:
            plan: what is wanted.
            key_crop: (S, S, 3) RGB, S the engine's `crop_size`. The conditioning itself is the same for any S.
        """
        ...


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A face as the finder saw it, in pixels of the picture it was given: x0 <= x < x1, y0 <= y < y1.

    It holds the face's oval, chin to upper forehead, once the face is turned upright about the box's centre.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    roll: float = 0.0
    """How far the head leans clockwise in the picture, radians: the angle from the x axis to the line from the
    person's right eye to the left eye."""
    score: float = 1.0
    """0..1, how sure the finder is."""


LANDMARK_CROP_SIZE = 96
"""Side of the loose luma crop the landmarker looks at, pixels."""


class CropLandmarks(NamedTuple):
    """What the landmarker saw in N loose crops."""

    points: NDArray[np.float32]
    """(N, len(LANDMARKS), 2) as (x, y) in crop pixels, pixel centres at whole numbers; hidden ones are guessed."""
    presence: NDArray[np.float32]
    """(N,) 0..1, the probability that the crop holds a face where the points say."""
    visibility: NDArray[np.float32]
    """(N, len(LANDMARKS)) 0..1, the probability that a point is seen: not behind a hand, the head or the edge."""


class FaceFinder(Protocol):
    """Finds faces in a whole picture, and landmarks in a loose crop around one. One call at a time."""

    def find(self, luma: NDArray[np.uint8]) -> list[FaceBox]:
        """Faces in a (H, W) full-range luma picture, largest first. To acquire, not to follow."""
        ...

    def landmarks(self, crops: NDArray[np.uint8]) -> CropLandmarks:
        """Landmarks, presence and visibility in loose crops.

        Args:
            crops: (N, LANDMARK_CROP_SIZE, LANDMARK_CROP_SIZE) luma, full range, face upright and about centred.
        """
        ...


class Planner(Protocol):
    """Turns free words and the earlier turns into the cumulative plan and a reply. Blocking."""

    def plan(self, text: str, dialogue: Dialogue) -> tuple[InstructionPlan, str]:
        """The whole look wanted after this turn, and one plain sentence that says what was understood.

        A plan whose action is ``reject`` leaves the look as it is; its reply says why.
        """
        ...


class Transcriber(Protocol):
    """Turns one utterance into words. Blocking."""

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        """The words in `samples`: 16 kHz, mono, one utterance. Empty when nothing was said."""
        ...

    def close(self) -> None:
        """Frees what it holds; an utterance in another thread ends with an error. May be called twice."""
        ...
