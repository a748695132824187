"""Arrays on disk that are filled bit by bit: memory maps of new ``.npy`` files."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stream_retouch.errors import MediaError

Wanted = Mapping[str, tuple[DTypeLike, tuple[int, ...]]]
"""Name to type and shape."""


def new_arrays(folder: Path, wanted: Wanted, stale: Sequence[Path] = ()) -> dict[str, NDArray[Any]]:
    """FOLDER/NAME.npy of each, all 0, open for writing.

    What lies there by that name is taken away, not written over: if it is a link, or mapped by somebody else, what it
    held stays as it is. Room is asked for before that, since a memory map that finds its disk full kills the process
    without a word.

    Args:
        stale: files that tell of what lay there; they go before anything else does.

    Raises:
        MediaError: the disk is too full for all of them; nothing was touched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.npy" for name in wanted}
    needed = sum(np.dtype(kind).itemsize * int(np.prod(shape)) for kind, shape in wanted.values())
    gone = [p for p in {*paths.values(), *stale} if p.is_file() and not p.is_symlink()]
    given_back = sum(p.stat().st_size for p in gone)
    free = shutil.disk_usage(folder).free + given_back
    if needed > free:
        reason = f"needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} are free; make room or take less"
        raise MediaError(str(folder), reason)
    for path in stale:
        path.unlink(missing_ok=True)
    arrays = {}
    for name, (kind, shape) in wanted.items():
        paths[name].unlink(missing_ok=True)
        arrays[name] = np.lib.format.open_memmap(paths[name], "w+", dtype=kind, shape=shape)
    return arrays
