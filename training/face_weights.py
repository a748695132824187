"""How the small face networks are stored: folded weights, and a JSON beside them that says what they are."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from safetensors.numpy import save_file
from torch import nn

from engines.folding import folded

ATTRIBUTION = (
    "DeBruine, L. & Jones, B. (2017). Face Research Lab London Set. CC BY 4.0",
    "DeBruine, L. & Jones, B. (2017). Young Adult White Faces with Manipulated Versions. CC BY 4.0",
    "Official portraits of the U.S. Congress, public domain in the U.S.",
)


def save(net: nn.Module, out: Path, name: str, data: str, figures: dict[str, float]) -> None:
    """Writes ``NAME.safetensors`` (batch norms folded, fp16) and ``NAME.json``.

    Args:
        out: the folder; it is made if it is not there.
        name: ``finder`` or ``landmarks``.
        data: what it was trained on, a phrase without the persons who are held out.
        figures: as measured at this moment.
    """
    out.mkdir(parents=True, exist_ok=True)
    weights = folded(net)
    save_file(weights, out / f"{name}.safetensors")
    kind = type(net)
    about = {
        "model": f"{kind.__module__}:{kind.__name__}, batch norms folded, fp16",
        "parameters": sum(w.size for w in weights.values()),
        "trained_on": f"{data}; the persons of training.splits.HELDOUT_PERSONS held out",
        "attribution": list(ATTRIBUTION),
        "date": datetime.date.today().isoformat(),
        "figures": figures,
    }
    (out / f"{name}.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
