"""Does an engine compute what eager computes? Measured on what users see: retouched crops, all blemishes at amount 1.

The frozen crops are two public-domain portraits, aligned, with painted spots at several places and exposures, so there
is much to edit: an engine that does nothing has an edit_snr_db of 0 and fails. Written by training.make_parity_crops.
They are CROP_SIZE a side; networks for larger crops are shown them enlarged. What only such a network can see is then
missing from them, but engine and eager compute with all of it, and that is what is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.manifest import Parity
from stream_retouch.engine import (
    CHROMA_STEP,
    CROP_SIZE,
    OFFSET_STEP,
    Conditioner,
    Conditioning,
    EditLayer,
    RetouchEngine,
)
from stream_retouch.errors import EngineError, ParityError
from stream_retouch.language.plan import (
    BLEMISHES,
    FACE,
    Edit,
    InstructionPlan,
    amounts,
    request_map,
)

CROPS = Path(__file__).parent / "weights" / "parity_crops.npz"
EVERYTHING = InstructionPlan((Edit(BLEMISHES, (FACE,), 1.0),))
"""All blemishes at amount 1."""
CEILING_DB = 120.0
"""What a figure without any error is called, so that it fits into JSON."""

# Full-range BT.601, chroma about 0 (ITU-R BT.601-7), as EditLayer has it.
_TO_LUMA = np.array((0.299, 0.587, 0.114), np.float32)
_TO_RGB = np.array(((1, 0, 1.402), (1, -0.344136, -0.714136), (1, 1.772, 0)), np.float32)

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an engine must reach; no crop alone may be far below the rest."""

    parity_psnr_db: float = 50.0
    edit_snr_db: float = 30.0
    worst_crop_snr_db: float = 20.0


BOUNDS = {
    "f32": Bounds(),
    "bf16": Bounds(),
    "fp16": Bounds(),
    "int8": Bounds(edit_snr_db=20.0, worst_crop_snr_db=15.0),
}
"""By precision (DESIGN section 6)."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Crops with requests and conditionings, one of each per crop."""

    crops: NDArray[np.uint8]
    """(N, S, S, 3) RGB, S the network's crop size."""
    requests: Floats
    """(N, REQUEST_CHANNELS, REQUEST_SIZE, REQUEST_SIZE)."""
    conditionings: list[Conditioning]


def samples(conditioner: Conditioner, path: Path = CROPS, crop_size: int = CROP_SIZE) -> Samples:
    """The frozen crops, every second one conditioned on its own picture, the others on no face.

    Args:
        conditioner: of the network.
        path: where they are.
        crop_size: of the network.

    Raises:
        EngineError: the file is missing or damaged.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            strip = cv2.imdecode(stored["jpeg"], cv2.IMREAD_COLOR)
            regions = stored["regions"].astype(np.float32) / 255
        if strip is None:
            raise ValueError("no picture in it")
        bgr = np.asarray(strip, np.uint8).reshape(-1, CROP_SIZE, CROP_SIZE, 3)
        crops = np.stack([_enlarged(crop, crop_size) for crop in bgr[..., ::-1]])
        table = amounts(EVERYTHING)
        requests = np.stack([request_map(table, maps) for maps in regions])
        if len(crops) != len(requests):
            raise ValueError("crops and regions differ in number")
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile, cv2.error) as problem:
        raise EngineError(
            f"parity crops {path} cannot be read ({problem}); reinstall stream-retouch"
        ) from problem
    seen = [
        conditioner.prepare(EVERYTHING, crop if i % 2 == 0 else None)
        for i, crop in enumerate(crops)
    ]
    return Samples(crops, requests, seen)


def _enlarged(crop: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    if size == len(crop):
        return crop
    return np.asarray(cv2.resize(crop, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)


def answers(engine: RetouchEngine, given: Samples, batch: int = 1) -> list[EditLayer]:
    """The engine's edit layers, one call per crop, as a single user's frames arrive.

    Args:
        batch: crops of each call, as many users' frames arrive together; all sizes up to it may be asked for.
    """
    found: list[EditLayer] = []
    for i in range(0, len(given.crops), batch):
        part = slice(i, i + batch)
        found += engine.retouch(given.crops[part], given.requests[part], given.conditionings[part])
    return found


def retouched(crop: NDArray[np.uint8], layer: EditLayer) -> Floats:
    """The crop with the edit applied, (S, S, 3) RGB code values before rounding."""
    steps = np.array([1 / 255, OFFSET_STEP, CHROMA_STEP, CHROMA_STEP], np.float32)
    codes = np.moveaxis(layer.codes, 0, 2).astype(np.float32)
    channels = (codes - np.array([0, 128, 128, 128], np.float32)) * steps
    side = (crop.shape[1], crop.shape[0])
    flatten, offset, cb, cr = np.moveaxis(cv2.resize(channels, side), 2, 0)
    mask = cv2.resize(layer.mask.astype(np.float32) / 255, side)
    luma = crop.astype(np.float32) @ _TO_LUMA
    change = np.stack((offset - flatten * (luma - layer.skin_luma), cb, cr), axis=-1)
    edited = crop + (mask[..., None] * change) @ _TO_RGB.T
    return np.asarray(np.clip(edited, 0, 255), np.float32)


def compare(
    crops: NDArray[np.uint8], truth: Sequence[EditLayer], found: Sequence[EditLayer]
) -> Parity:
    """The figures of an engine's edit layers on these crops; `truth` is eager's.

    Raises:
        EngineError: the truth leaves every crop as it is, so that nothing can be said.
    """
    wanted = np.stack([retouched(crop, layer) for crop, layer in zip(crops, truth, strict=True)])
    got = np.stack([retouched(crop, layer) for crop, layer in zip(crops, found, strict=True)])
    edits = np.square(wanted - crops).mean((1, 2, 3), np.float64)
    errors = np.square(wanted - got).mean((1, 2, 3), np.float64)
    if not edits.sum() > 0:
        raise EngineError(
            "the network changes nothing on the parity crops, so no engine can be compared with it; use trained weights"
        )
    steps = np.abs(np.rint(wanted) - np.rint(got))
    masks = np.array([[layer.mask for layer in layers] for layers in (truth, found)], np.float64)
    return Parity(
        parity_psnr_db=_db(255.0**2, float(np.square(steps).mean(dtype=np.float64))),
        edit_snr_db=_db(float(edits.sum()), float(errors.sum())),
        worst_crop_snr_db=min(_db(float(e), float(w)) for e, w in zip(edits, errors, strict=True)),
        mask_iou=float(masks.min(0).sum() / masks.max(0).sum()) if masks.any() else 1.0,
        worst_pixel=int(np.nan_to_num(steps, nan=255).max()),
    )


def _db(signal: float, error: float) -> float:
    if not np.isfinite(error):
        return -CEILING_DB
    if error == 0:
        return CEILING_DB
    return float(np.clip(10 * np.log10(max(signal, 1e-30) / error), -CEILING_DB, CEILING_DB))


def require(parity: Parity, bounds: Bounds = Bounds()) -> None:  # noqa: B008 (frozen)
    """Passes if the figures reach the bounds.

    Raises:
        ParityError: one does not.
    """
    for figure in ("parity_psnr_db", "edit_snr_db", "worst_crop_snr_db"):
        found, bound = getattr(parity, figure), getattr(bounds, figure)
        if not found >= bound:
            raise ParityError(figure, found, bound)
