# SPDX-License-Identifier: Apache-2.0
"""Searching for what should not be there: canaries, in every form a program may keep them in.

Searches the memory of living processes (`/proc/PID/mem`), files, and the argument and environment
blocks of processes. A searcher that finds nothing proves nothing by itself: each use needs a
positive control, a place where the canary is known to be (`docs/processes.md`, tests/flow).
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

PIECE_BYTES: Final = 8 * 1024 * 1024
FORM_MIN_BYTES: Final = 8  # shorter forms would be found by chance
_MAPPING: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)")
_UNREADABLE: Final = ("[vvar]", "[vvar_vclock]", "[vsyscall]")


@dataclass(frozen=True, slots=True)
class Hit:
    """A canary that was found, in which form, and where."""

    canary: str
    form: str
    where: str


@dataclass(frozen=True, slots=True)
class Needle:
    """One form of one canary."""

    canary: str
    form: str
    data: bytes


def needles(canary: str, tokens: Sequence[int] = ()) -> list[Needle]:
    """Every form of ``canary`` that is searched for; ``tokens`` are its token ids, if known.

    Base64 is searched for at each of the three alignments a text may have inside a larger one, by
    the characters that do not depend on its neighbours.
    """
    text = canary.encode("utf-8")
    forms = {
        "utf-8": text,
        "utf-16-le": canary.encode("utf-16-le"),
        "utf-16-be": canary.encode("utf-16-be"),
        "utf-32-le": canary.encode("utf-32-le"),
        "hex": text.hex().encode("ascii"),
        "hex-upper": text.hex().upper().encode("ascii"),
        "reversed": text[::-1],
    }
    for shift in range(3):
        padded = b"\0" * shift + text
        inner = slice(-(-8 * shift // 6), len(padded) * 8 // 6)
        forms[f"base64+{shift}"] = base64.b64encode(padded)[inner]
        forms[f"base64url+{shift}"] = base64.urlsafe_b64encode(padded)[inner]
    if tokens:
        forms["token-ids"] = struct.pack(f"={len(tokens)}i", *tokens)
    return [
        Needle(canary, form, data) for form, data in forms.items() if len(data) >= FORM_MIN_BYTES
    ]


class Search:
    """A set of needles. Time is needles times bytes: let canaries share a stem, search that."""

    def __init__(self, wanted: Iterable[Needle]) -> None:
        self._needles = tuple(wanted)
        self._overlap = max(len(needle.data) for needle in self._needles) - 1

    def pieces(self, where: str, pieces: Iterable[bytes]) -> Iterator[Hit]:
        """Search consecutive pieces of one thing, also across their borders; a hit per form."""
        left = list(self._needles)
        rest = b""
        for piece in pieces:
            window = rest + piece
            for needle in [needle for needle in left if needle.data in window]:
                left.remove(needle)
                yield Hit(needle.canary, needle.form, where)
            rest = window[-self._overlap :]

    def process(self, pid: int) -> list[Hit]:
        """Every readable page of a process, its argument vector and its environment.

        Raises:
            PermissionError: this user may not read the memory of that process.
        """
        hits: list[Hit] = []
        with Path(f"/proc/{pid}/mem").open("rb") as memory:
            for line in Path(f"/proc/{pid}/maps").read_text("ascii", "replace").splitlines():
                mapping = _MAPPING.fullmatch(line)
                if mapping is None or "r" not in mapping[3] or mapping[4] in _UNREADABLE:
                    continue
                start, end = int(mapping[1], 16), int(mapping[2], 16)
                name = f"memory of {pid}: {mapping[4] or 'anonymous'}"
                hits += self.pieces(name, _read_range(memory, start, end))
        for block in ("cmdline", "environ"):
            hits += self.file(Path(f"/proc/{pid}/{block}"))
        return hits

    def file(self, path: Path) -> list[Hit]:
        """The content of one file."""
        with path.open("rb") as file:
            return list(self.pieces(str(path), iter(lambda: file.read(PIECE_BYTES), b"")))

    def folder(self, folder: Path) -> list[Hit]:
        """Every regular file below a folder, and the names of all of them."""
        hits: list[Hit] = []
        for path in sorted(folder.rglob("*")):
            hits += self.pieces(f"name of {path}", [str(path).encode("utf-8", "surrogateescape")])
            if path.is_file() and not path.is_symlink():
                hits += self.file(path)
        return hits


def _read_range(memory: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    """The bytes from ``start`` to ``end``; pages that cannot be read are passed over."""
    at = start
    while at < end:
        memory.seek(at)
        try:
            piece = memory.read(min(PIECE_BYTES, end - at))
        except OSError:
            return  # a mapping of a device, or one that is gone by now
        if not piece:
            return
        yield piece
        at += len(piece)


def children(pid: int) -> list[int]:
    """The living children of a process (by `/proc/*/stat`; not every kernel lists them)."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text("ascii", "replace")
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended while we looked
            if int(stat.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return sorted(found)
