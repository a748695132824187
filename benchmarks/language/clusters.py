"""Does f_r hold what is meant? python -m benchmarks.language.clusters [--instructions FILE.jsonl] [--out docs]

As the paper's figure 7 asks of its prompts: instructions that mean the same should lie together, however they are
worded. Taken are single turns with one edit. f_r (Q prompts of width W) is flattened, centred and scaled to length 1;
neighbours are told by the cosine. Shown are the two main axes of the kinds' means, and how alike the kinds are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.language.instructions import Example, read
from stream_retouch.language.plan import CATEGORIES, REGIONS

DEFAULT = Path("tests/data/instructions_heldout.jsonl")
_LEAST = 4
"""Instructions that a group needs to count."""

States = NDArray[np.float32]


def single_edits(items: Sequence[Example]) -> list[tuple[str, str, str]]:
    """Text, kind and region of every single turn with one edit of one kind in one place."""
    found = []
    for item in items:
        edits, keep = item["plan"]["edits"], item["plan"]["keep"]
        if len(item["turns"]) == 1 and len(edits) == 1 and not keep:
            regions = edits[0]["regions"]
            found.append(
                (
                    item["turns"][0],
                    edits[0]["category"],
                    regions[0] if len(regions) == 1 else "several",
                )
            )
    return found


def states(texts: Sequence[str]) -> States:
    """(N, Q W) f_r of each text as the planner that ships has it: centred, of length 1."""
    import torch

    from engines.language.saved import load
    from engines.planner import SHIPPED

    model, pieces = load(SHIPPED)
    torch.set_num_threads(1)
    rows = []
    with torch.inference_mode():
        for text in texts:
            words = torch.tensor([pieces.numbers(text, False, model.config.most_words)])
            rows.append(model.f_r(words).flatten().numpy())
    return unit(np.stack(rows))


def unit(rows: NDArray[np.floating[Any]]) -> States:
    """Centred rows of length 1."""
    centred = rows - rows.mean(0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(lengths, 1e-9), np.float32)


def figures(rows: States, labels: Sequence[str]) -> dict[str, float]:
    """Mean cosine within and between groups, and how often the nearest other instruction is of the same group."""
    names = np.array(labels)
    counted = np.isin(names, [n for n in set(labels) if labels.count(n) >= _LEAST])
    rows, names = rows[counted], names[counted]
    cosine = rows @ rows.T
    same = names[:, None] == names[None]
    off = ~np.eye(len(rows), dtype=bool)
    np.fill_diagonal(cosine, -2.0)
    nearest = names[cosine.argmax(1)] == names
    return {
        "instructions": len(rows),
        "groups": len(set(names.tolist())),
        "within": round(float(cosine[same & off].mean()), 3),
        "between": round(float(cosine[~same].mean()), 3),
        "nearest_same": round(float(nearest.mean()), 3),
    }


def draw(rows: States, kinds: Sequence[str], path: Path) -> None:
    """Writes the picture."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    named = [c.value for c in CATEGORIES if list(kinds).count(c.value) >= _LEAST]
    means = unit(np.stack([rows[np.array(kinds) == k].mean(0) for k in named]))
    axes = np.linalg.svd(means, full_matrices=False)[2][:2]
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 6))
    colours = plt.get_cmap("tab20")
    for i, kind in enumerate(named):
        at = rows[np.array(kinds) == kind] @ axes.T
        left.scatter(at[:, 0], at[:, 1], s=14, color=colours(i), label=kind)
        left.annotate(kind, at.mean(0), fontsize=7)
    left.set_title("held-out instructions of one edit, two main axes of f_r")
    left.legend(fontsize=6, ncol=2)
    shown = right.imshow(means @ means.T, vmin=-0.5, vmax=1, cmap="viridis")
    right.set_xticks(range(len(named)), named, rotation=90, fontsize=7)
    right.set_yticks(range(len(named)), named, fontsize=7)
    right.set_title("cosine of the kinds' means")
    figure.colorbar(shown, ax=right)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--instructions", type=Path, default=DEFAULT)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    options = parser.parse_args(arguments)
    chosen = single_edits(read(options.instructions)[0])
    texts, kinds, places = zip(*chosen, strict=True)
    rows = states(texts)
    draw(rows, kinds, options.out / "f_r.png")
    regions = [p if p in [r.value for r in REGIONS] else "face" for p in places]
    print(json.dumps({"kinds": figures(rows, kinds), "regions": figures(rows, regions)}))


if __name__ == "__main__":
    main()
