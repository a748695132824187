"""How well it retouches: ``python -m benchmarks.quality --split heldout``; the last line is JSON.

Painted marks on the frozen held-out persons, through the frame path that serves, at the pictures' native resolution:
finder, landmarks, crop, engine, paste. All pictures pass 4:2:0 alike, so that chroma subsampling is nobody's fault.
Errors are RGB code values, pooled over all scenes.

* ``masked_psnr_gain_db``: PSNR to the target where source and target differ by more than 8/255, over doing nothing.
* ``clean_psnr_db``: PSNR to the source on face pixels that were asked to stay (source and target within 1/255).
* ``named_removed``: 1 - sum|out - target| / sum|source - target| over pixels that were asked to change.
* ``unnamed_changed``: sum|out - source| / sum|source - clean| over painted pixels that were asked to stay.

A perfect filter removes 1 and changes 0.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import heldout
from benchmarks.report import hardware
from engines.weights_file import weights_hash
from stream_retouch import cli
from stream_retouch.engine import Conditioning, EditLayer, RetouchEngine
from stream_retouch.errors import StreamRetouchError
from stream_retouch.media.frames import frame_with, picture_of
from stream_retouch.outputs.look import LookRetoucher
from stream_retouch.settings import Settings

Rgb = NDArray[np.float32]
RESULTS = Path(__file__).parent / "results"


@dataclass
class Sums:
    """Pooled error sums of one filter."""

    masked: float = 0.0
    masked_n: float = 0.0
    clean: float = 0.0
    clean_n: float = 0.0
    left: float = 0.0
    named: float = 0.0
    changed: float = 0.0
    unnamed: float = 0.0
    by_kind: dict[str, list[float]] = field(default_factory=dict)

    def add(self, out: Rgb, s: Views) -> None:
        """One scene."""
        error = out - s.target
        self.masked += float((error[s.wanted] ** 2).sum())
        self.masked_n += 3.0 * float(s.wanted.sum())
        self.clean += float(((out - s.source)[s.still] ** 2).sum())
        self.clean_n += 3.0 * float(s.still.sum())
        self.left += float(np.abs(error[s.wanted]).sum())
        self.named += float(np.abs(s.source - s.target)[s.wanted].sum())
        self.changed += float(np.abs(out - s.source)[s.unnamed].sum())
        self.unnamed += float(np.abs(s.source - s.clean)[s.unnamed].sum())
        for kind, where in s.kinds.items():
            sums = self.by_kind.setdefault(kind, [0.0, 0.0])
            sums[0] += float(np.abs(error[where]).sum())
            sums[1] += float(np.abs(s.source - s.target)[where].sum())

    def figures(self) -> dict[str, float]:
        """The figures of the module's docstring, but for the gain."""
        return {
            "masked_psnr_db": psnr(self.masked, self.masked_n),
            "clean_psnr_db": psnr(self.clean, self.clean_n),
            "named_removed": 1.0 - self.left / max(self.named, 1e-9),
            "unnamed_changed": self.changed / max(self.unnamed, 1e-9),
        }


@dataclass
class Views:
    """One scene after 4:2:0, and where to look."""

    clean: Rgb
    source: Rgb
    target: Rgb
    wanted: NDArray[np.bool_]
    still: NDArray[np.bool_]
    unnamed: NDArray[np.bool_]
    kinds: dict[str, NDArray[np.bool_]]


def psnr(squared: float, count: float) -> float:
    """dB of pooled squared errors in code values; capped at 99."""
    return float(min(99.0, 10 * np.log10(255.0**2 * max(count, 1.0) / max(squared, 1e-9))))


def to_frame(rgb: NDArray[np.uint8]) -> av.VideoFrame:
    """RGB as a full-range BT.601 yuv420p frame."""
    height, width = (n // 2 * 2 for n in rgb.shape[:2])
    ycc = cv2.cvtColor(rgb[:height, :width], cv2.COLOR_RGB2YCrCb)
    half = cv2.resize(ycc, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    like = av.VideoFrame(width, height, "yuv420p")
    like.color_range, like.colorspace = 2, 5
    like.pts, like.time_base = 0, Fraction(1, 25)
    return frame_with(ycc[..., 0], half[..., 2], half[..., 1], like)


def to_rgb(frame: av.VideoFrame) -> Rgb:
    """A frame of `to_frame`'s kind as RGB code values, (H, W, 3) float."""
    p = picture_of(frame)
    size = (p.width, p.height)
    cb, cr = (
        cv2.resize(c.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) - 128.0
        for c in (p.u, p.v)
    )
    y = p.y.astype(np.float32)
    rgb = np.stack((y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb), -1)
    return np.asarray(np.clip(rgb, 0, 255), np.float32)


def views(scene: heldout.Scene) -> Views:
    """The scene as the figures see it."""
    clean, source, target = (to_rgb(to_frame(p)) for p in (scene.clean, scene.source, scene.target))
    shape = clean.shape[:2]
    asked = np.abs(source - target).max(-1)
    painted = np.abs(source - clean).max(-1)
    wanted = asked > 8.0
    skin = scene.skin[: shape[0], : shape[1]] > 0.5
    still = skin & (asked <= 1.0) & (painted <= 1.0)
    unnamed = (painted > 8.0) & (asked <= 1.0)
    kinds = {
        kind.value: wanted & (cover[: shape[0], : shape[1]] > 0.3)
        for kind, cover in scene.by_kind.items()
    }
    return Views(clean, source, target, wanted, still, unnamed, kinds)


class Recorder:
    """An engine that remembers its last answers, for the sheet."""

    def __init__(self, engine: RetouchEngine) -> None:
        self._engine, self.name = engine, engine.name
        self.layers: list[EditLayer] = []
        self.seconds: list[float] = []

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        """As the engine."""
        start = time.perf_counter()
        self.layers = self._engine.retouch(crops, requests, conditionings)
        self.seconds.append(time.perf_counter() - start)
        return self.layers

    def close(self) -> None:
        """Closes the engine."""
        self._engine.close()


def bilateral(source: Rgb, skin: NDArray[np.float32]) -> Rgb:
    """The usual skin smoother: a bilateral filter on skin."""
    smooth = cv2.bilateralFilter(source.astype(np.uint8), 15, 30, 9).astype(np.float32)
    weight = skin[..., None]
    return np.asarray(source + (smooth - source) * weight, np.float32)


def ita_deg(clean: Rgb, skin: NDArray[np.float32]) -> float:
    """Individual typology angle of the skin: above 41 light, 28 to 41 intermediate, below 28 tan to dark."""
    lab = cv2.cvtColor(clean / 255.0, cv2.COLOR_RGB2LAB)[skin > 0.8]
    lightness, _, b = np.median(lab, axis=0)
    return float(np.degrees(np.arctan2(lightness - 50.0, b)))


def tone_of(angle: float) -> str:
    """The tone group of an ITA angle."""
    return "light" if angle > 41 else "intermediate" if angle > 28 else "tan to dark"


def main() -> None:
    """Measures and prints."""
    args = _arguments()
    settings = Settings.resolve({"engine": args.engine, "weights": args.weights}, {})
    names = cli.NAMES
    engine = Recorder(cli.load_engine(settings, names))
    conditioner = cli.load_conditioner(settings, names)
    totals = {name: Sums() for name in ("nothing", "bilateral", "ours")}
    persons: dict[str, tuple[str, Sums]] = {}
    rows: list[NDArray[np.uint8]] = []
    missed = 0
    rows_frozen = heldout.frozen()["scenes"]
    assert isinstance(rows_frozen, list)
    count = min(len(rows_frozen), args.scenes)
    for number, scene in enumerate(heldout.scenes(args.shared)):
        if number >= count:
            break
        s = views(scene)
        retoucher = LookRetoucher(
            scene.plan, finder=cli.load_finder(names), conditioner=conditioner, engine=engine
        )
        engine.layers = []
        result = retoucher.apply(to_frame(scene.source))
        out = to_rgb(result.frame)
        missed += result.faces == 0
        skin = scene.skin[: out.shape[0], : out.shape[1]]
        pictures = {"nothing": s.source, "bilateral": bilateral(s.source, skin), "ours": out}
        for name, picture in pictures.items():
            totals[name].add(picture, s)
        tone = tone_of(ita_deg(s.clean, skin))
        persons.setdefault(scene.portrait.person_id, (tone, Sums()))[1].add(out, s)
        if number in _SHEET:
            rows.append(_row(s, out, engine, scene))
        print(f"\rscene {number + 1}/{count}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    report = _report(totals, persons, args, engine, missed)
    if count == len(rows_frozen) or args.out:
        _write(args, report, rows)
    print(json.dumps(report))


def _write(args: argparse.Namespace, report: dict[str, Any], rows: list[NDArray[np.uint8]]) -> None:
    """The result file, and the sheet beside it."""
    slug = re.sub(r"[^a-z0-9]+", "-", hardware().lower()).strip("-")
    path = args.out or RESULTS / f"quality_{slug}_{date.today()}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(path.with_suffix(".jpg")), picture, [cv2.IMWRITE_JPEG_QUALITY, 82])
    figures = "\n".join(
        f"| {name} | {r['masked_psnr_db']:.2f} | {r['masked_psnr_gain_db']:.2f} | {r['clean_psnr_db']:.2f} "
        f"| {r['named_removed']:.3f} | {r['unnamed_changed']:.3f} |"
        for name, r in report["rows"].items()
    )
    kinds = ", ".join(f"{k} {v:.2f}" for k, v in report["removed_by_kind"].items())
    path.write_text(
        f"""# Quality on the frozen held-out set, {date.today()}

`python -m benchmarks.quality --split {args.split}` with {report["engine"]} on {hardware()}

| filter | masked PSNR dB | gain dB | clean PSNR dB | named removed | unnamed changed |
| --- | ---: | ---: | ---: | ---: | ---: |
{figures}

Share removed by kind: {kinds}.

Before, after, target, mask (the mask in the aligned crop, the others in the picture):

![before, after, target, mask]({path.with_suffix(".jpg").name})

Pictures: DeBruine, L. & Jones, B. (2017), Face Research Lab London Set, figshare, CC BY 4.0; imperfections painted.

```json
{json.dumps(report, indent=1)}
```
"""
    )
    print(f"wrote {path.name}", file=sys.stderr)


_SHEET = (0, 1, 9, 14, 22, 31, 40, 53)


def _row(s: Views, out: Rgb, engine: Recorder, scene: heldout.Scene) -> NDArray[np.uint8]:
    """Before, after, target, mask of the face's square."""
    ys, xs = np.where(scene.skin > 0.3)
    box = slice(max(ys.min() - 20, 0), ys.max() + 20), slice(max(xs.min() - 20, 0), xs.max() + 20)
    side = 320
    cells = [
        cv2.resize(p[box].astype(np.uint8), (side, side), interpolation=cv2.INTER_AREA)
        for p in (s.source, out, s.target)
    ]
    mask = np.zeros((side, side), np.uint8)
    if engine.layers:
        mask = cv2.resize(engine.layers[0].mask, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.hstack([*cells, np.repeat(mask[..., None], 3, 2)])


def _report(
    totals: dict[str, Sums],
    persons: dict[str, tuple[str, Sums]],
    args: argparse.Namespace,
    engine: Recorder,
    missed: int,
) -> dict[str, Any]:
    base = totals["nothing"].figures()["masked_psnr_db"]
    rows: dict[str, dict[str, float]] = {}
    print(f"{'filter':<12}{'masked dB':>10}{'gain':>7}{'clean dB':>10}{'removed':>9}{'unnamed':>9}")
    for name, sums in totals.items():
        f = sums.figures() | {"masked_psnr_gain_db": sums.figures()["masked_psnr_db"] - base}
        rows[name] = {k: round(v, 4) for k, v in f.items()}
        print(
            f"{name:<12}{f['masked_psnr_db']:>10.2f}{f['masked_psnr_gain_db']:>7.2f}"
            f"{f['clean_psnr_db']:>10.2f}{f['named_removed']:>9.3f}{f['unnamed_changed']:>9.3f}"
        )
    print("\nshare removed by kind")
    kinds = {
        k: round(1 - left / named, 3)
        for k, (left, named) in sorted(totals["ours"].by_kind.items())
        if named > 0
    }
    for kind, share in sorted(kinds.items(), key=lambda item: -item[1]):
        print(f"  {kind:<18}{share:>7.3f}")
    tones = _tones(persons)
    print("\nby skin tone (ITA), a group under 5 persons is not shown")
    for tone, row in tones.items():
        print(f"  {tone:<18}{row}")
    return {
        **rows["ours"],
        "rows": rows,
        "removed_by_kind": kinds,
        "tones": tones,
        "faces_missed": missed,
        "engine": engine.name,
        "engine_ms_p50": round(float(np.median(engine.seconds)) * 1e3, 2)
        if engine.seconds
        else None,
        "split": args.split,
        "heldout_sha256": heldout.frozen_hash(),
        "weights_sha256": weights_hash(args.weights),
    }


def _tones(persons: dict[str, tuple[str, Sums]]) -> dict[str, object]:
    """named_removed by tone and the widest gap with a 95 % bootstrap over persons."""
    groups: dict[str, list[Sums]] = {}
    for tone, ours in persons.values():
        groups.setdefault(tone, []).append(ours)
    shown = {t: g for t, g in groups.items() if len(g) >= 5}
    table: dict[str, object] = {
        t: (
            {"persons": len(g), "named_removed": round(_removed(g), 3)}
            if t in shown
            else f"{len(g)} persons: not shown"
        )
        for t, g in sorted(groups.items())
    }
    if len(shown) >= 2:
        rng = np.random.default_rng(1)
        gaps = []
        for _ in range(1000):
            means = [
                _removed([g[i] for i in rng.integers(0, len(g), len(g))]) for g in shown.values()
            ]
            gaps.append(max(means) - min(means))
        values = [_removed(g) for g in shown.values()]
        low, high = np.percentile(gaps, (2.5, 97.5))
        table["gap"] = {
            "named_removed": round(max(values) - min(values), 3),
            "ci95": [round(float(low), 3), round(float(high), 3)],
        }
    return table


def _removed(group: Sequence[Sums]) -> float:
    return 1.0 - sum(s.left for s in group) / max(sum(s.named for s in group), 1e-9)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--split", choices=("heldout",), default="heldout")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="data folder")
    parser.add_argument("--engine", default="openvino")
    parser.add_argument("--weights", type=Path, help="other weights than those that ship")
    parser.add_argument("--scenes", type=int, default=10**6, help="only the first so many")
    parser.add_argument("--out", type=Path, help="where the result file goes")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except StreamRetouchError as problem:
        sys.exit(f"benchmarks.quality: {problem}")
