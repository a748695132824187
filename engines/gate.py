"""The gate: what computes something else than eager is never kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engines.conditioner import LanguageConditioner
from engines.eager import EagerEngine
from engines.manifest import Parity
from engines.parity import BOUNDS, Bounds, Samples, answers, compare, require, samples
from engines.retouchgpt.model import RetouchGPT
from stream_retouch.engine import EditLayer, RetouchEngine


def judged(model: RetouchGPT, crops: Path) -> tuple[Samples, list[EditLayer]]:
    """What engines of this network are compared on, and eager's answers."""
    given = samples(LanguageConditioner(model), crops, model.config.crop_size)
    return given, answers(EagerEngine(model), given)


def accept(
    engine: RetouchEngine,
    given: Samples,
    truth: Sequence[EditLayer],
    bounds: Bounds = BOUNDS["f32"],
    batch: int = 1,
) -> Parity:
    """The figures of an engine that computes what eager computes.

    Args:
        truth: eager's answers.
        batch: crops of each call.

    Raises:
        ParityError: it does not.
        EngineError: eager changes nothing, so that nothing can be said.
    """
    parity = compare(given.crops, truth, answers(engine, given, batch))
    require(parity, bounds)
    return parity


def sentence(precision: str, parity: Parity) -> str:
    """That a precision was accepted, with its figures."""
    return (
        f"{precision} accepted: parity {parity.parity_psnr_db:.1f} dB, edit to error "
        f"{parity.edit_snr_db:.1f} dB (worst crop {parity.worst_crop_snr_db:.1f}), "
        f"mask IoU {parity.mask_iou:.4f}, worst pixel {parity.worst_pixel}"
    )
