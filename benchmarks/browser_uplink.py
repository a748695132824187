"""How soon a browser sends a good picture: ``python -m benchmarks.browser_uplink``.

Headless Chromium opens the service's page with a fake camera, 1280x720 at 30 frames a second (the
clip that latency is measured with, camera noise included, so that more than 2 Mbps are wanted), and
its own ``getStats()`` is read four times a second from the moment it says ``connected``. Bit rates
are those of ``bytesSent``: payload and retransmissions, no headers.

``--stock`` adds the row of aiortc as it comes, a pass-through. Our page is no use there: it misses the
control channel's messages and connects anew after four seconds. So that row is a page of a dozen
lines without any preference, as aiortc's examples have it, on benchmarks.stock_server.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import chromium
from benchmarks import report as common
from benchmarks.clip import pictures
from benchmarks.latency import SERVICE, STOCK
from benchmarks.server_process import server

SIZE = (1280, 720)
FPS = 30
CLIP_FRAMES = 60
JUDGED_S = 3.0
WANTED_MBPS = 2.0
WINDOW_S = 1.0
"""Bit rates are means over this long."""
SHOWN_EVERY_S = (0.5, 2.0)
"""A line of samples: in the first seconds, and afterwards."""
FIRST_S = 4.0
CONNECT_S = 30.0
EXTRA_S = 10.0
"""Longest wait for the last sample beyond the time it should take."""

SAMPLE = """
const Kept = window.RTCPeerConnection;
window.uplink = [];
window.RTCPeerConnection = class extends Kept {
  constructor(...options) {
    super(...options);
    let since = 0;
    const look = async () => {
      for (const one of (await this.getStats()).values()) {
        if (one.type !== "outbound-rtp" || one.kind !== "video") continue;
        window.uplink.push([(one.timestamp - since) / 1000, one.bytesSent ?? 0, one.frameWidth ?? 0,
          one.frameHeight ?? 0, one.framesPerSecond ?? 0, one.qualityLimitationReason ?? ""]);
      }
    };
    this.addEventListener("connectionstatechange", () => {
      if (this.connectionState !== "connected" || since) return;
      since = performance.timeOrigin + performance.now();
      look();
      setInterval(look, 250);
    });
  }
};
"""
"""Runs before the page's own script."""

PLAIN_PAGE = """async ([width, height, frameRate]) => {
  const video = { width, height, frameRate };
  const [track] = (await navigator.mediaDevices.getUserMedia({ video })).getVideoTracks();
  const connection = new RTCPeerConnection();
  connection.addTrack(track);
  await connection.setLocalDescription();
  if (connection.iceGatheringState !== "complete") {
    await new Promise((done) => connection.addEventListener("icecandidate", (e) => e.candidate || done()));
  }
  const offer = { method: "POST", body: connection.localDescription.sdp };
  const sdp = await (await fetch("/session", offer)).text();
  await connection.setRemoteDescription({ type: "answer", sdp });
}"""
"""What is run instead of our page for the row of stock aiortc."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the browser says of the video it sends."""

    at_s: float
    """Since the connection became connected."""
    sent: int
    """Bytes so far."""
    width: int
    height: int
    fps: float
    limited_by: str
    """``none``, ``cpu``, ``bandwidth`` or ``other``."""


def rate_mbps(samples: Sequence[Sample], at_s: float) -> float | None:
    """Mean bit rate of the second before `at_s`; None where the samples do not reach."""
    if not samples or at_s < WINDOW_S or samples[-1].at_s < at_s:
        return None
    times, sent = [s.at_s for s in samples], [s.sent for s in samples]
    # Nothing was sent before the first sample, which may come a little after the connection.
    first, last = np.interp([at_s - WINDOW_S, at_s], times, sent)
    return float(8e-6 * (last - first) / WINDOW_S)


def figures(samples: Sequence[Sample]) -> dict[str, Any]:
    """The figures of one row; None for what was not reached."""
    rates = [(s.at_s, rate_mbps(samples, s.at_s)) for s in samples]
    then = [s for s in samples if s.at_s <= JUDGED_S]
    reached = bool(samples) and samples[-1].at_s >= JUDGED_S
    size = (then[-1].width, then[-1].height) if then and reached else (None, None)
    mbps = rate_mbps(samples, JUDGED_S)
    full = [s.at_s for s in samples if (s.width, s.height) == SIZE]
    enough = [at for at, rate in rates if rate is not None and rate >= WANTED_MBPS]
    last = samples[-1] if samples else None
    return {
        "mbps_3s": _rounded(mbps),
        "width_3s": size[0],
        "height_3s": size[1],
        "full_size_s": _rounded(full[0] if full else None),
        "two_mbps_s": _rounded(enough[0] if enough else None),
        "mbps_end": _rounded(rate_mbps(samples, last.at_s) if last else None),
        "fps_end": last.fps if last else None,
        "size_end": f"{last.width}x{last.height}" if last else None,
        "holds": mbps is not None and mbps >= WANTED_MBPS and size == SIZE,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


_COLUMNS = (
    ("Mbps at 3 s", "mbps_3s"),
    ("full size, s", "full_size_s"),
    ("2 Mbps, s", "two_mbps_s"),
    ("Mbps at the end", "mbps_end"),
    ("size at the end", "size_end"),
    ("fps at the end", "fps_end"),
)


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The figures as Markdown, a line a row; a dash for what was not reached."""
    titles = [title for title, _ in _COLUMNS]
    lines = [f"| | size at 3 s | {' | '.join(titles)} | holds |", "|---" * (len(titles) + 3) + "|"]
    for name, found in rows.items():
        size = "-" if found["width_3s"] is None else f"{found['width_3s']}x{found['height_3s']}"
        cells = ["-" if found[key] is None else str(found[key]) for _, key in _COLUMNS]
        held = "yes" if found["holds"] else "**no**"
        lines.append(f"| {name} | {size} | {' | '.join(cells)} | {held} |")
    return "\n".join(lines)


def samples_table(name: str, samples: Sequence[Sample]) -> str:
    """What the browser said, twice a second at first."""
    lines = [
        f"| {name}, s | size | fps | Mbps, second before | limited by |",
        "|---:|---|---:|---:|---|",
    ]
    due_s = 0.0
    for sample in samples:
        if sample.at_s < due_s:
            continue
        every_s = SHOWN_EVERY_S[sample.at_s >= FIRST_S]
        due_s = (sample.at_s // every_s + 1) * every_s
        rate = rate_mbps(samples, sample.at_s)
        lines.append(
            f"| {sample.at_s:.2f} | {sample.width}x{sample.height} | {sample.fps:g} "
            f"| {'-' if rate is None else f'{rate:.2f}'} | {sample.limited_by} |"
        )
    return "\n".join(lines)


def write_clip(path: Path, size: tuple[int, int] = SIZE, frames: int = CLIP_FRAMES) -> Path:
    """Writes the camera's picture as a clip that Chromium plays in a loop."""
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{size[0]} H{size[1]} F{FPS}:1 Ip A1:1 C420jpeg\n".encode())
        for planes in pictures(*size, frames):
            file.write(b"FRAME\n" + planes.tobytes())
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    args = _arguments(argv)
    try:
        if problem := chromium.missing():
            raise RuntimeError(problem)
        taken = _run(args)
    except RuntimeError as problem:
        print(f"benchmarks.browser_uplink: {problem}", file=sys.stderr)
        return 1
    rows = {name: figures(samples) for name, samples in taken.items()}
    found: dict[str, Any] = {
        **next(iter(rows.values())),
        "engine": args.engine,
        "size": "{}x{}".format(*SIZE),
        "camera_fps": FPS,
        "seconds": args.seconds,
        "rows": rows,
        "hardware": common.hardware(),
        "versions": common.versions(),
        "weights_sha256": common.weights(),
    }
    print(table(rows))
    if not args.no_file:
        words = " ".join(sys.argv[1:] if argv is None else argv)
        command = f"python -m benchmarks.browser_uplink {words}".strip()
        print(f"wrote {_write(args.out, command, found, taken).name}", file=sys.stderr)
    print(common.last_line(found))
    return 0


def _run(args: argparse.Namespace) -> dict[str, list[Sample]]:
    """The samples of every row.

    Raises:
        RuntimeError: a server does not start, or the page does not connect.
    """
    serve = ("--", "serve", "--port", "0", "--log-level", "warning", "--engine", args.engine)
    with tempfile.TemporaryDirectory() as folder, server(args.service, serve) as ours:
        clip = write_clip(Path(folder) / "camera.y4m")
        taken = {"stream_retouch": _row("ours", clip, args.seconds, ours.url)}
        ours.end()  # it would be in the other row's way
        if args.stock:
            with server(STOCK, ()) as stock:
                taken["stock aiortc"] = _row("stock", clip, args.seconds, stock.url, plain=True)
    return taken


def _row(name: str, clip: Path, seconds: float, url: str, *, plain: bool = False) -> list[Sample]:
    """What a fresh browser sends from our page at `url`, or from the plain one."""
    print(f"{name}: {seconds:g} seconds ...", file=sys.stderr, flush=True)
    flags = (
        chromium.FAKE_CAMERA,
        chromium.ALLOW_CAMERA,
        f"--use-file-for-fake-video-capture={clip}",
    )
    with chromium.open_page(clip.parent / name, *flags) as page:
        page.add_init_script(SAMPLE)
        if plain:
            page.goto(f"{url}/readyz")  # any page of that origin will do
            page.evaluate(PLAIN_PAGE, [*SIZE, FPS])
        else:
            page.goto(f"{url}/?autostart=camera&size={SIZE[1]}")
        try:
            chromium.until(page, "window.uplink.length > 0", CONNECT_S)
        except AssertionError as problem:
            raise RuntimeError(f"the page does not connect: {problem}") from None
        deadline = time.monotonic() + seconds + EXTRA_S
        while page.evaluate("window.uplink.at(-1)[0]") < seconds:
            if time.monotonic() > deadline:
                raise RuntimeError("the browser no longer tells what it sends")
            page.wait_for_timeout(250)
        return [Sample(*values) for values in page.evaluate("window.uplink")]


def _write(
    out: Path | None, command: str, found: dict[str, Any], taken: dict[str, list[Sample]]
) -> Path:
    """Writes the result file; gives its path."""
    blocks = [
        table(found["rows"]),
        f"Wanted: {WANTED_MBPS:g} Mbps and full size within {JUDGED_S:g} s of connecting. Seconds "
        "are those since the connection became connected; Mbps: mean of the second before, payload "
        "and retransmissions; limited by: the browser's `qualityLimitationReason`.",
        *(samples_table(name, samples) for name, samples in taken.items()),
    ]
    return common.write_file(
        out,
        "browser-uplink",
        f"What Chromium sends after connecting, camera {found['size']} at {FPS} frames a second",
        command,
        blocks,
        found,
        lambda path: _plot(path, taken),
        "bit rate over time",
    )


def _plot(path: Path, taken: dict[str, list[Sample]]) -> bool:
    """Bit rate over time, a line a row; False without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    for name, samples in taken.items():
        rates = [(s.at_s, rate_mbps(samples, s.at_s)) for s in samples]
        axes.plot(*zip(*(pair for pair in rates if pair[1] is not None), strict=True), label=name)
    axes.axhline(WANTED_MBPS, color="black", linewidth=0.8, linestyle="--")
    axes.axvline(JUDGED_S, color="grey", linewidth=0.8, linestyle=":")
    axes.set_xlabel("seconds since connected")
    axes.set_ylabel("Mbps, second before")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=100)
    return True


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.browser_uplink",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="measured after connecting")
    parser.add_argument("--engine", default="openvino")
    parser.add_argument("--stock", action="store_true", help="measure aiortc as it comes, too")
    parser.add_argument(
        "--out", type=common.file_path, help="result file (default in benchmarks/results)"
    )
    parser.add_argument("--no-file", action="store_true", help="write no result file")
    parser.add_argument(
        "--service", default=SERVICE, metavar="MODULE", help="starts the service (to try parts)"
    )
    args = parser.parse_args(argv)
    if not args.seconds >= JUDGED_S + 0.5:
        parser.error(f"--seconds must be at least {JUDGED_S + 0.5:g}")
    return args


if __name__ == "__main__":
    sys.exit(main())
