"""A built engine and the folder it is kept in.

The manifest is the commit: it is written last, by renaming, and names the other files by their SHA-256. Their names
hold that hash, so two processes that build at once never mix their files, and a file that is cut short is noticed.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import importlib.metadata
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engines.batch_sizes import batch_sizes
from engines.manifest import EngineIdentity, EngineManifest, Parity
from stream_retouch.errors import EngineError

_GPU_ENDINGS = {"tensorrt": ".plan", "inductor": ".pt2"}
_FILES = re.compile(r"\.xml|\.bin|\.b\d+\.(plan|pt2)")
"""How the names of the files of any engine end."""


@dataclass(frozen=True, slots=True, eq=False)
class BuiltEngine:
    """What a library compiled, with its manifest."""

    manifest: EngineManifest
    contents: Mapping[str, bytes]
    """What its files hold, by how their names end: ``.xml`` and ``.bin`` of OpenVINO's IR, ``.b1.plan``, ``.b2.plan``
    and so on of TensorRT, ``.b1.pt2`` and so on of Inductor, one for each batch size."""

    @property
    def batches(self) -> dict[int, bytes]:
        """The files of a GPU's engine by their batch size."""
        engine, most = self.manifest.identity.engine, self.manifest.identity.max_batch
        return {size: self.contents[batch_ending(engine, size)] for size in batch_sizes(most)}

    @property
    def xml(self) -> bytes:
        """The graph of OpenVINO's IR."""
        return self.contents[".xml"]

    @property
    def weights(self) -> bytes:
        """The numbers that the graph of OpenVINO's IR refers to."""
        return self.contents[".bin"]


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
        contents[_ending(name)] = data
    if contents.keys() != _endings(identity):
        raise EngineError(
            f"engine manifest {path} names other files; build again with python -m engines.build"
        )
    return BuiltEngine(manifest, contents)


def finished(
    identity: EngineIdentity,
    precision: str,
    parity: Parity,
    packages: Iterable[str],
    contents: Mapping[str, bytes],
) -> BuiltEngine:
    """An engine that has passed the gate, with its manifest.

    Args:
        packages: that took part; those that are not installed were not needed.
        contents: as `BuiltEngine.contents`.
    """
    manifest = EngineManifest(
        identity=identity,
        precision=precision,
        parity=parity,
        libraries=_versions(packages),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        files=file_names(identity, contents),
    )
    return BuiltEngine(manifest, contents)


def _versions(packages: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def file_names(identity: EngineIdentity, contents: Mapping[str, bytes]) -> dict[str, str]:
    """Name and SHA-256 of the files of an engine, as its manifest lists them."""
    names = {}
    for ending, data in contents.items():
        digest = hashlib.sha256(data).hexdigest()
        names[f"{_stem(identity)}-{digest[:12]}{ending}"] = digest
    return names


def batch_ending(engine: str, batch: int) -> str:
    """How the name of a GPU engine's file for one batch size ends."""
    return f".b{batch}{_GPU_ENDINGS[engine]}"


def store(built: BuiltEngine, folder: Path) -> Path:
    """Writes the engine into the folder and returns its manifest's path; older files of the same engine go.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in built.manifest.files:
        write(folder / name, built.contents[_ending(name)])
    path = manifest_path(folder, built.manifest.identity)
    write(path, built.manifest.to_json().encode())
    for old in folder.glob(f"{_stem(built.manifest.identity)}-*"):
        if old.name not in built.manifest.files and _FILES.fullmatch(_ending(old.name)):
            with contextlib.suppress(OSError):  # another process may be quicker
                old.unlink()
    return path


def _stem(identity: EngineIdentity) -> str:
    return f"{identity.engine}-{identity.weights_sha256[:12]}-{identity.asked_precision}"


def _ending(name: str) -> str:
    """From the first dot on: names of engines hold no other."""
    return "." + name.partition(".")[2]


def _endings(identity: EngineIdentity) -> set[str]:
    """How the names of the files of a whole engine end."""
    if identity.engine in _GPU_ENDINGS:
        return {batch_ending(identity.engine, size) for size in batch_sizes(identity.max_batch)}
    return {".xml", ".bin"}


def write(path: Path, data: bytes) -> None:
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
