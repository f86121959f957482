# SPDX-License-Identifier: Apache-2.0
"""The initramfs as the kernel reads it: a cpio archive of the "newc" kind, written in one way only.

The rule that holds here: the same entries give the same bytes. Entries are sorted by path, an inode
is the entry's place in that order, times are 0, everybody is root, and there are no hard links.
What the reader accepts is what the writer writes, so whatever was read can be trusted to be whole.

Format: Linux, Documentation/driver-api/early-userspace/buffer-format.rst. A member is a header of
"070701" and thirteen fields of eight hexadecimal digits, its name with a NUL, and its data; header
and name together are padded to four bytes, and so is the data. The last is named "TRAILER!!!".
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from image.errors import ImageError

MAGIC: Final = b"070701"
TRAILER: Final = "TRAILER!!!"
ALIGN: Final = 4
BLOCK: Final = 512  # the archive is padded to this, so that another may follow it
FIELDS: Final = (
    "inode",
    "mode",
    "uid",
    "gid",
    "links",
    "mtime",
    "size",
    "device_major",
    "device_minor",
    "special_major",
    "special_minor",
    "name_size",
    "checksum",
)
HEADER_BYTES: Final = len(MAGIC) + 8 * len(FIELDS)
NAME_MAX_BYTES: Final = 4096  # PATH_MAX, with the NUL
DATA_MAX_BYTES: Final = 1 << 30
ENTRIES_MAX: Final = 1 << 16


class CpioError(ImageError):
    """An archive, or an entry for one, that is not as this module writes it."""

    def __init__(self, where: str, wanted: str, got: object) -> None:
        super().__init__(f"{where}: wanted {wanted}, got {got}")
        self.where = where
        self.wanted = wanted
        self.got = got


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One path of the tree: a folder, a file or a symbolic link. All of them are root's.

    ``path`` is relative and plain ("usr/bin/python3.13"). ``mode`` is the whole of st_mode, kind
    included. ``data`` is a file's content or a link's target, and empty for a folder.

    Raises:
        CpioError: at construction, for what such an entry cannot be.
    """

    path: str
    mode: int
    data: bytes = b""

    def __post_init__(self) -> None:
        """Refuse what the docstring of the class rules out."""
        parts = self.path.split("/")
        if {"", ".", ".."} & set(parts) or "\0" in self.path or self.path == TRAILER:
            raise CpioError("path", "a plain relative path", repr(self.path))
        if len(self.path.encode()) >= NAME_MAX_BYTES:
            raise CpioError("path", f"fewer than {NAME_MAX_BYTES} bytes", len(self.path.encode()))
        kind = stat.S_IFMT(self.mode)
        if kind not in (stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK) or self.mode >> 16:
            raise CpioError(self.path, "a folder, a file or a symbolic link", oct(self.mode))
        if kind == stat.S_IFDIR and self.data:
            raise CpioError(self.path, "a folder without data", f"{len(self.data)} bytes")
        if kind == stat.S_IFLNK and not self.data:
            raise CpioError(self.path, "a link with a target", "none")
        if len(self.data) > DATA_MAX_BYTES:
            raise CpioError(self.path, f"at most {DATA_MAX_BYTES} bytes", len(self.data))

    @property
    def kind(self) -> int:
        """The entry's kind: one of stat.S_IFDIR, S_IFREG, S_IFLNK."""
        return stat.S_IFMT(self.mode)

    @property
    def permissions(self) -> int:
        """The twelve bits that `chmod` sets."""
        return stat.S_IMODE(self.mode)


def folder(path: str, permissions: int = 0o755) -> Entry:
    """Return a folder's entry."""
    return Entry(path, stat.S_IFDIR | permissions)


def file(path: str, data: bytes, permissions: int = 0o644) -> Entry:
    """Return a regular file's entry."""
    return Entry(path, stat.S_IFREG | permissions, data)


def link(path: str, target: str) -> Entry:
    """Return a symbolic link's entry."""
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def write_cpio(entries: Iterable[Entry]) -> bytes:
    """Return the archive of these entries, the same bytes in whatever order they come.

    Raises:
        CpioError: a path comes twice, or its folder does not come at all.
    """
    ordered = sorted(entries, key=_order)
    folders = {entry.path for entry in ordered if entry.kind == stat.S_IFDIR}
    seen: set[str] = set()
    out = bytearray()
    for inode, entry in enumerate(ordered, 1):
        above = entry.path.rpartition("/")[0]
        if entry.path in seen:
            raise CpioError(entry.path, "one entry", "two")
        if above and above not in folders:
            raise CpioError(entry.path, f"an entry for the folder {above}", "none")
        seen.add(entry.path)
        out += _member(inode, entry.path, entry.mode, entry.data)
    out += _member(0, TRAILER, 0, b"")
    return bytes(out + bytes(-len(out) % BLOCK))


def read_cpio(archive: bytes) -> tuple[Entry, ...]:
    """Return the entries of an archive that `write_cpio` wrote.

    Raises:
        CpioError: it is another's, or damaged, or something follows it.
    """
    entries: list[Entry] = []
    at = 0
    while True:
        name, mode, data, at = _next_member(archive, at)
        if name == TRAILER:
            break
        if len(entries) == ENTRIES_MAX:
            raise CpioError("archive", f"at most {ENTRIES_MAX} entries", "more")
        entries.append(Entry(name, mode, data))
    if write_cpio(entries) != archive:
        raise CpioError("archive", "the form that write_cpio gives it", "another")
    return tuple(entries)


def _order(entry: Entry) -> list[str]:
    # By parts, so that a folder comes right before what is in it.
    return entry.path.split("/")


def _member(inode: int, name: str, mode: int, data: bytes) -> bytes:
    raw = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(raw), 0)
    head = MAGIC + b"".join(b"%08X" % value for value in fields) + raw
    return head + bytes(-len(head) % ALIGN) + data + bytes(-len(data) % ALIGN)


def _next_member(archive: bytes, at: int) -> tuple[str, int, bytes, int]:
    header = archive[at : at + HEADER_BYTES]
    where = f"member at {at}"
    if len(header) != HEADER_BYTES or header[: len(MAGIC)] != MAGIC:
        raise CpioError(where, "a newc header", repr(header[:16]))
    digits = header[len(MAGIC) :]
    if not digits.isalnum():
        raise CpioError(where, "hexadecimal fields", repr(digits[:16]))
    try:
        values = [int(digits[start : start + 8], 16) for start in range(0, len(digits), 8)]
    except ValueError as error:
        raise CpioError(where, "hexadecimal fields", repr(digits[:16])) from error
    field = dict(zip(FIELDS, values, strict=True))
    if not 0 < field["name_size"] <= NAME_MAX_BYTES or field["size"] > DATA_MAX_BYTES:
        raise CpioError(where, "a name and data within the limits", field["name_size"])
    begin = at + HEADER_BYTES
    raw = archive[begin : begin + field["name_size"]]
    begin += len(raw) + -(HEADER_BYTES + len(raw)) % ALIGN
    data = archive[begin : begin + field["size"]]
    if len(raw) != field["name_size"] or len(data) != field["size"] or raw[-1:] != b"\0":
        raise CpioError(where, "a whole member", "the archive's end")
    try:
        name = raw[:-1].decode()
    except UnicodeDecodeError as error:
        raise CpioError(where, "a name in UTF-8", repr(raw[:64])) from error
    return name, field["mode"], data, begin + len(data) + -len(data) % ALIGN
