# SPDX-License-Identifier: Apache-2.0
"""Streaming search: many needles, things of any size, memory for two pieces.

This file owns what a hit is and what could not be read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lab.memscan.forms import Needle
from lab.memscan.sieve import Sieve

PIECE_BYTES: Final = 1 << 20
"""Read at once: small enough to stay in a processor's cache."""

_ZEROS: Final = bytes(PIECE_BYTES)


@dataclass(frozen=True, slots=True)
class Hit:
    """A canary that was found, in which form, and where; ``at`` is an address or an offset."""

    canary: str
    form: str
    where: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class Unread:
    """A place that was to be searched and could not be, and the system's word for why."""

    where: str
    why: str


class UnreadableError(OSError):
    """Something could not be searched, so that no hit there means nothing.

    Attributes:
        unread: the places.
    """

    def __init__(self, unread: Iterable[Unread]) -> None:
        self.unread = tuple(unread)
        super().__init__("; ".join(f"{each.where}: {each.why}" for each in self.unread))


@dataclass(slots=True)
class Survey:
    """What a search came to. ``seen`` are files already read, by device and inode."""

    hits: list[Hit] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    places: int = 0
    searched_bytes: int = 0
    seen: set[tuple[int, int]] = field(default_factory=set)

    def whole(self) -> list[Hit]:
        """The hits of a search that missed nothing.

        Raises:
            UnreadableError: a place could not be read.
        """
        if self.unread:
            raise UnreadableError(self.unread)
        return self.hits


class Stream:
    """A set of needles, and the search for them in anything that can be read."""

    def __init__(self, wanted: Iterable[Needle]) -> None:
        """Take the needles.

        Raises:
            ValueError: there is none, so that nothing could ever be found.
        """
        self.needles = tuple(wanted)
        if not self.needles:
            raise ValueError("memscan: wanted at least one needle, got none")
        self._sieve = Sieve(self.needles)
        self._zeros_are_nothing = all(any(needle.data) for needle in self.needles)
        self._overlap = max(len(needle.data) for needle in self.needles) - 1

    def pieces(
        self, where: str, pieces: Iterable[bytes], survey: Survey | None = None, start: int = 0
    ) -> list[Hit]:
        """Search consecutive pieces of one thing, also across their borders; a hit per form."""
        left = set(self.needles)
        hits = []
        rest = b""
        at = start
        size = 0
        for piece in pieces:
            # Most of a memory image is zeros; past the overlap there is nothing in them to find.
            zeros = self._zeros_are_nothing and piece == _ZEROS[: len(piece)]
            window = rest + (piece[: self._overlap] if zeros else piece)
            for needle, place in self._sieve.found(window):
                if needle in left:
                    left.remove(needle)
                    hits.append(Hit(needle.canary, needle.form, where, at - len(rest) + place))
            rest = (rest + piece)[-self._overlap :] if self._overlap else b""
            at += len(piece)
            size += len(piece)
        if survey is not None:
            survey.hits += hits
            survey.places += 1
            survey.searched_bytes += size
        return hits

    def file(
        self, path: Path, survey: Survey | None = None, *, where: str | None = None
    ) -> list[Hit]:
        """The content of one file, of any size; ``where`` names it, if not its path.

        Raises:
            OSError: it cannot be read.
        """
        with path.open("rb", buffering=0) as file:
            pieces = iter(lambda: file.read(PIECE_BYTES), b"")
            return self.pieces(where or str(path), pieces, survey)

    def folder(self, folder: Path, survey: Survey | None = None) -> list[Hit]:
        """Every regular file below a folder, and the names of all that is there.

        Raises:
            OSError: one of them cannot be read.
        """
        hits: list[Hit] = []
        for path in sorted(folder.rglob("*")):
            name = str(path).encode("utf-8", "surrogateescape")
            hits += self.pieces(f"name of {path}", [name], survey)
            if path.is_file() and not path.is_symlink():
                hits += self.file(path, survey)
        return hits
