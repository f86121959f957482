# SPDX-License-Identifier: Apache-2.0
"""Looking into a living process: its memory, its arguments and environment, what it holds open.

The rule: each mapping is either searched, or gone by the time one looks, or named in
`Survey.unread`. Private anonymous memory is searched where the kernel has pages for it
(`/proc/PID/pagemap`): elsewhere it reads as zeros, and asking would only make pages. Mappings
without read permission are searched too, as whoever may trace a process may read them.

Needs the right to trace the process (ptrace(2), "access mode checking"): root, or the same user
and a process that is dumpable.
"""

from __future__ import annotations

import errno
import os
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.memscan.leftovers import look_at_descriptors
from lab.memscan.stream import PIECE_BYTES, Stream, Survey, Unread

PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
KERNEL_OWNED: Final = ("[vvar]", "[vvar_vclock]", "[vsyscall]")
"""Pages of the kernel that no process can write to."""

_ENTRY_BYTES: Final = 8  # of pagemap, one per page
_ENTRIES_AT_ONCE: Final = 65536
_HAS_PAGE: Final = 0b11 << 62  # present, or swapped out
_MAPPING: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+) *(.*)")


@dataclass(frozen=True, slots=True)
class Mapping:
    """One line of `/proc/PID/maps`."""

    start: int
    end: int
    permissions: str
    inode: int
    name: str

    @property
    def sparse(self) -> bool:
        """Whether what has no page holds nothing of this process."""
        return self.permissions[3] == "p" and (self.inode == 0 or self.permissions[0] != "r")


def look_into(search: Stream, pid: int, survey: Survey) -> None:
    """Search all of a process; what cannot be read stands in ``survey.unread``."""
    try:
        _look_at_memory(search, pid, survey)
    except OSError as error:
        survey.unread.append(Unread(f"memory of {pid}", error.strerror or str(error)))
    for block in ("cmdline", "environ"):
        try:
            search.file(Path(f"/proc/{pid}/{block}"), survey)
        except OSError as error:
            survey.unread.append(Unread(f"{block} of {pid}", error.strerror or str(error)))
    look_at_descriptors(search, pid, survey)


def _look_at_memory(search: Stream, pid: int, survey: Survey) -> None:
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    pagemap = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for mapping in mappings(pid):
            if mapping.name in KERNEL_OWNED:
                continue
            where = f"memory of {pid}: {mapping.name or 'anonymous'}"
            runs = _present(pagemap, mapping) if mapping.sparse else [(mapping.start, mapping.end)]
            for start, end in runs:
                try:
                    search.pieces(where, _read(memory, start, end), survey, start)
                except OSError as error:
                    if _still_mapped(pid, mapping):
                        why = error.strerror or str(error)
                        survey.unread.append(Unread(f"{where} at {start:#x}", why))
    finally:
        os.close(pagemap)
        os.close(memory)


def mappings(pid: int) -> list[Mapping]:
    """The mappings of a process.

    Raises:
        OSError: there is no such process, or it may not be looked into.
    """
    found = []
    for line in Path(f"/proc/{pid}/maps").read_text("utf-8", "surrogateescape").splitlines():
        fields = _MAPPING.fullmatch(line)
        if fields is None:
            raise OSError(errno.EPROTO, f"maps of {pid}: a line of unknown form")
        start, end, permissions, inode, name = fields.groups()
        found.append(Mapping(int(start, 16), int(end, 16), permissions, int(inode), name))
    return found


def _still_mapped(pid: int, mapping: Mapping) -> bool:
    """Whether a mapping that would not be read is still the same."""
    try:
        return mapping in mappings(pid)
    except ProcessLookupError:
        return False


def _present(pagemap: int, mapping: Mapping) -> Iterator[tuple[int, int]]:
    """The runs of pages of a mapping that the kernel keeps, in memory or in swap."""
    first, last = mapping.start // PAGE_BYTES, mapping.end // PAGE_BYTES
    begun: int | None = None
    for at in range(first, last, _ENTRIES_AT_ONCE):
        count = min(_ENTRIES_AT_ONCE, last - at)
        block = os.pread(pagemap, count * _ENTRY_BYTES, at * _ENTRY_BYTES)
        entries = array("Q", block)
        if len(entries) != count:
            raise OSError(errno.EIO, "pagemap ended early")
        for page, entry in enumerate(entries, at):
            if entry & _HAS_PAGE:
                begun = page if begun is None else begun
            elif begun is not None:
                yield begun * PAGE_BYTES, page * PAGE_BYTES
                begun = None
    if begun is not None:
        yield begun * PAGE_BYTES, mapping.end


def _read(memory: int, start: int, end: int) -> Iterator[bytes]:
    """The bytes from ``start`` to ``end``.

    Raises:
        OSError: a page cannot be read, or is gone.
    """
    at = start
    while at < end:
        piece = os.pread(memory, min(PIECE_BYTES, end - at), at)
        if not piece:
            raise ProcessLookupError(errno.ESRCH, "the process has ended")
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
