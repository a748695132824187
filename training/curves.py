"""``curves.png``: losses and figures of a training over the images it has seen."""

from __future__ import annotations

from pathlib import Path

from training.pace import LOG, rows

_NOT_LOSSES = frozenset(
    ("step", "images", "images_s", "min", "stage", "validation", "lr", "td_error")
)
_FIGURES = ("gain_db", "clean_db", "removed", "psi")


def curves(folder: Path) -> Path | None:
    """Draws losses and figures of the log over images seen; None, and a sentence, without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("no curves.png without matplotlib; install stream-retouch[training]", flush=True)
        return None
    lines = rows(folder) if (folder / LOG).exists() else []
    steps = [row for row in lines if "validation" not in row]
    checks = [(row["images"], row["validation"]) for row in lines if "validation" in row]
    figure = Figure(figsize=(12, 8), layout="constrained")
    losses, decibels, shares, kinds = figure.subplots(2, 2).flat
    for name in sorted({k for row in steps for k in row} - _NOT_LOSSES - set(_FIGURES)):
        points = [(row["images"], row[name]) for row in steps if row.get(name, 0) > 0]
        losses.plot(*zip(*points, strict=True), label=name) if points else None
    for name in _FIGURES:
        points = [(row["images"], row[name]) for row in steps if name in row]
        axes = decibels if name.endswith("db") else shares
        axes.plot(*zip(*points, strict=True), ":", label=f"{name}, this batch") if points else None
    for name in ("masked_psnr_gain_db", "clean_psnr_db", "named_removed", "unnamed_changed"):
        points = [(at, found[name]) for at, found in checks if found.get(name) is not None]
        axes = decibels if name.endswith("db") else shares
        axes.plot(*zip(*points, strict=True), "o-", label=name) if points else None
    for name in sorted({kind for _, found in checks for kind in found.get("by_kind", {})}):
        points = [(at, f["by_kind"][name]) for at, f in checks if name in f.get("by_kind", {})]
        kinds.plot(*zip(*points, strict=True), ".-", label=name)
    losses.set_yscale("log")
    titles = ("losses", "dB", "shares", "removed of each kind, validation persons")
    for axes, title in zip((losses, decibels, shares, kinds), titles, strict=True):
        axes.set_title(title)
        axes.set_xlabel("images seen")
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=6, ncols=2)
    path, new = folder / "curves.png", folder / "curves.tmp.png"
    try:
        figure.savefig(new, dpi=100)
        new.replace(path)
    except OSError as problem:
        print(f"{path}: not drawn ({problem.strerror}); free some space", flush=True)
        return None
    return path
