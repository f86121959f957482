# SPDX-License-Identifier: Apache-2.0
"""The folder of a release: every file in it hashed, and those that are measured kept in memory.

What is measured is thus the very bytes that were hashed, whoever writes to the folder meanwhile.
This is the one file of the package that reads from a disk.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sealroom.errors import InputError
from sealroom.release.layout import MANIFEST, PROOF, image_paths
from sealroom.release.manifest import File, ImageVariant
from sealroom.release.measured import Parts

CHUNK_BYTES: Final = 1 << 20
KEPT_MAX_BYTES: Final = 1 << 30  # of one file that is measured
FILES_MAX: Final = 1000
_KEPT: Final = frozenset(path for of in ImageVariant for path in image_paths(of).values())

# The file, how much of it was read, and its size, both in bytes.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies there but manifest and proof, by path: every file's hash, some files' bytes."""

    files: dict[str, File]
    kept: dict[str, bytes] = field(repr=False)

    def parts(self, variant: ImageVariant) -> Parts:
        """What an image is launched with.

        Raises:
            InputError: the folder lacks a file of it, or its command line is not text.
        """
        found = {}
        for name, path in image_paths(variant).items():
            if path not in self.kept:
                raise InputError(path, "a file that is not empty", "none")
            found[name] = self.kept[path]
        cmdline = found.pop("cmdline")
        try:
            return Parts(**found, cmdline=cmdline.decode("ascii"))
        except UnicodeDecodeError as error:
            path = image_paths(variant)["cmdline"]
            raise InputError(path, "ASCII", f"{error.reason} at byte {error.start}") from None


def read_folder(folder: Path, progress: Progress) -> Folder:
    """Read and hash everything in a release's folder.

    Raises:
        InputError: something in it is no regular file, is empty, too large, or cannot be read.
    """
    read = Folder({}, {})
    for path in _walk(folder, ""):
        if path in (MANIFEST, PROOF):
            continue
        if len(read.files) == FILES_MAX:
            raise InputError(str(folder), f"at most {FILES_MAX} files", "more")
        try:
            read.files[path] = _read(folder / path, path, progress, read.kept)
        except OSError as error:
            raise InputError(path, "a file that can be read", error.strerror or "error") from error
    return read


def _walk(folder: Path, prefix: str) -> Iterator[str]:
    """The paths of all files below, sorted. A link is nobody's file."""
    try:
        entries = sorted(os.scandir(folder / prefix), key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(str(folder / prefix), "a folder", error.strerror or "error") from error
    for entry in entries:
        path = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(folder, f"{path}/")
        elif entry.is_file(follow_symlinks=False):
            yield path
        else:
            raise InputError(path, "a regular file", "another kind")


def _read(where: Path, path: str, progress: Progress, kept: dict[str, bytes]) -> File:
    digest, pieces, size = hashlib.sha256(), [], 0
    with where.open("rb") as file:
        whole = os.fstat(file.fileno()).st_size
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            if path in _KEPT:
                pieces.append(chunk)
                if size > KEPT_MAX_BYTES:
                    raise InputError(path, f"at most {KEPT_MAX_BYTES} bytes", "more")
            progress(path, size, whole)
    if not size:
        raise InputError(path, "a file with content", "an empty one")
    if path in _KEPT:
        kept[path] = b"".join(pieces)
    return File(size=size, sha256=digest.digest())
