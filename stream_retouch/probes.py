"""Trying things out: does an encoder encode, does a module import, is a file whole. Sends nothing
anywhere.

Each function is one question about this machine, and answers it with what it found or what is
wrong.
"""

from __future__ import annotations

import ctypes
import json
import socket
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

_IMPORT_TIMEOUT_S = 120


def encoder_problem(name: str) -> str | None:
    """Why an encoder cannot be used, or None when it has encoded a picture."""
    try:
        context = av.CodecContext.create(name, "w")
        # 256: some hardware encoders refuse less than 145 pixels.
        context.width, context.height, context.pix_fmt = 256, 256, "yuv420p"  # type: ignore[attr-defined]
        context.time_base, context.framerate = Fraction(1, 30), Fraction(30)  # type: ignore[attr-defined]
        frame = av.VideoFrame.from_ndarray(np.full((384, 256), 128, np.uint8), "yuv420p")
        frame.pts = 0
        packets = [*context.encode(frame), *context.encode(None)]  # type: ignore[attr-defined]
    except (av.FFmpegError, ValueError) as problem:
        return f"cannot be used ({getattr(problem, 'strerror', None) or problem})"
    return None if packets else "gives no output"


def import_problem(module: str, attribute: str | None = None) -> str | None:
    """Why a module (and a name in it) cannot be imported in a fresh Python, or None when it can."""
    lines = f"import {module} as found"
    if attribute is not None:
        lines += f"; found.{attribute}"
    return _ran(lines)[0]


def answer(place: str, word: str) -> str | None:
    """What a function ("module:function") says of a word in a fresh Python, or what is wrong with it; None when it says
    None."""
    module, function = place.split(":")
    problem, said = _ran(f"import {module} as found; print(found.{function}({word!r}) or '')")
    return problem or said or None


def _ran(lines: str) -> tuple[str | None, str]:
    """What is wrong with some lines of Python that are run in a process of their own, and the last line they print."""
    lines = f"import sys; sys.path[:] = {sys.path!r}; {lines}"
    try:
        done = subprocess.run(
            [sys.executable, "-c", lines],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_IMPORT_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return f"does not import within {_IMPORT_TIMEOUT_S} s", ""
    if done.returncode == 0:
        return None, (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode < 0:  # a signal: for example code for another CPU
        return f"crashes when it is imported (signal {-done.returncode})", ""
    last = done.stderr.strip().splitlines()[-1:] or ["does not import"]
    return last[0], ""


def safetensors_problem(path: Path) -> str | None:
    """What is wrong with a safetensors file: 8 bytes header length, JSON header, tensors end to
    end."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            size = path.stat().st_size
            if length > size - 8:
                return "is truncated"
            header = json.loads(file.read(length))
            end = max(
                (v["data_offsets"][1] for k, v in header.items() if k != "__metadata__"), default=0
            )
    except OSError as problem:
        return f"cannot be read ({problem.strerror})"
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return "is not a safetensors file"
    if end + 8 + length != size:
        return "is truncated" if end + 8 + length > size else "has bytes that do not belong to it"
    return None


def cpu_flags(cpuinfo: Path) -> set[str]:
    """The CPU's feature names as Linux writes them; empty on other systems."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return set()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return set(value.split())
    return set()


def cuda_devices() -> list[str]:
    """The names of the GPUs that the CUDA driver sees; empty without one."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return []
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return []
    names = []
    for index in range(count.value):
        name = ctypes.create_string_buffer(128)
        if driver.cuDeviceGetName(name, len(name), index) == 0:
            names.append(name.value.decode(errors="replace"))
    return names


def own_addresses() -> list[str]:
    """This machine's addresses towards the outside, IPv4 first. Sends nothing."""
    found = []
    # Connecting a UDP socket only chooses a route; the addresses are reserved for documentation
    # (RFC 5737, 3849).
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))
                found.append(str(probe.getsockname()[0]))
        except OSError:
            continue
    return found
