"""A built engine and the folder it is kept in.

The manifest is the commit: it is written last, by renaming, and names the other files by their SHA-256. Their names
hold that hash, so two processes that build at once never mix their files, and a file that is cut short is noticed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engines.manifest import EngineIdentity, EngineManifest
from stream_retouch.errors import EngineError


@dataclass(frozen=True, slots=True, eq=False)
class BuiltEngine:
    """An OpenVINO IR with its manifest."""

    manifest: EngineManifest
    xml: bytes
    """The graph."""
    weights: bytes
    """The numbers it refers to."""


def manifest_path(folder: Path, identity: EngineIdentity) -> Path:
    """Where the manifest of such an engine lies."""
    return folder / f"{_stem(identity)}.json"


def find(folder: Path, identity: EngineIdentity) -> BuiltEngine:
    """The engine of that identity from the folder, whole to the last byte.

    Raises:
        EngineMismatch: it was built for something else.
        EngineError: there is none, or it is damaged.
    """
    path = manifest_path(folder, identity)
    manifest = EngineManifest.read(path)
    manifest.check(identity)
    contents = {}
    for name, digest in manifest.files.items():
        try:
            data = (folder / Path(name).name).read_bytes()
        except OSError as problem:
            raise EngineError(
                f"engine file {name} is missing; build again with python -m engines.build"
            ) from problem
        if hashlib.sha256(data).hexdigest() != digest:
            raise EngineError(
                f"engine file {name} is damaged; build again with python -m engines.build"
            )
        contents[Path(name).suffix] = data
    if contents.keys() != {".xml", ".bin"}:
        raise EngineError(
            f"engine manifest {path} names other files; build again with python -m engines.build"
        )
    return BuiltEngine(manifest, contents[".xml"], contents[".bin"])


def file_names(identity: EngineIdentity, xml: bytes, weights: bytes) -> dict[str, str]:
    """Name and SHA-256 of the files of an engine, as its manifest lists them."""
    names = {}
    for suffix, data in ((".xml", xml), (".bin", weights)):
        digest = hashlib.sha256(data).hexdigest()
        names[f"{_stem(identity)}-{digest[:12]}{suffix}"] = digest
    return names


def store(built: BuiltEngine, folder: Path) -> Path:
    """Writes the engine into the folder and returns its manifest's path; older files of the same engine go.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = {".xml": built.xml, ".bin": built.weights}
    for name in built.manifest.files:
        _write(folder / name, contents[Path(name).suffix])
    path = manifest_path(folder, built.manifest.identity)
    _write(path, built.manifest.to_json().encode())
    for old in folder.glob(f"{_stem(built.manifest.identity)}-*"):
        if old.name not in built.manifest.files and old.suffix in contents:
            with contextlib.suppress(OSError):  # another process may be quicker
                old.unlink()
    return path


def _stem(identity: EngineIdentity) -> str:
    return f"{identity.engine}-{identity.weights_sha256[:12]}-{identity.asked_precision}"


def _write(path: Path, data: bytes) -> None:
    """Atomically: another process sees the whole file or none."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".building-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
