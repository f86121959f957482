# SPDX-License-Identifier: Apache-2.0
"""Read the data of a .deb (deb(5)): an ar archive with a compressed tar in it.

The rule that holds here: only the data member is read. Maintainer scripts are never looked at, so
nothing of a package runs at build. Everything has a limit, every path is a plain relative one, and
what is neither a directory, a file nor a link is refused. Debian compresses with xz, seldom with
gzip; data.tar.zst is Ubuntu's and no lock has one, so it is refused by its name.
"""

import enum
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from image.errors import ImageError

AR_MAGIC = b"!<arch>\n"
AR_HEADER_BYTES = 60
AR_MEMBERS_MAX_ITEMS = 8
DATA_MAX_BYTES = 1 << 30
FILE_MAX_BYTES = 1 << 29
ENTRIES_MAX_ITEMS = 200_000
PATH_MAX_BYTES = 1024

USR_MERGED = ("bin", "lib", "lib64", "sbin")
"""Folders of the root that are links into usr/ since Debian 12 ("merged usr")."""


class DebError(ImageError):
    """The bytes are not a .deb that we accept."""


class Kind(enum.Enum):
    """What an entry is."""

    DIRECTORY = "directory"
    FILE = "file"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a package.

    Attributes:
        path: relative, without "." or ".." or an empty part.
        kind: what it is.
        mode: the permission bits, with set-id and sticky bits.
        data: a file's content, else empty.
        target: where a link points, as written; of a hard link, a path of the same package.
    """

    path: str
    kind: Kind
    mode: int
    data: bytes = b""
    target: str = ""


_KINDS = {
    tarfile.DIRTYPE: Kind.DIRECTORY,
    tarfile.REGTYPE: Kind.FILE,
    tarfile.SYMTYPE: Kind.SYMLINK,
    tarfile.LNKTYPE: Kind.HARDLINK,
}
DATA_MEMBERS = ("data.tar.xz", "data.tar.gz")
# What tarfile and the decompressors raise on bytes that are not theirs.
_BROKEN = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, ValueError)


def merged_usr(path: str) -> str:
    """Return where a path lies once /bin, /lib, /lib64 and /sbin are links into /usr."""
    return f"usr/{path}" if path.split("/", 1)[0] in USR_MERGED else path


def _unpack(name: str, content: bytes) -> bytes:
    """Return the tar in the data member; a bomb ends at DATA_MAX_BYTES."""
    packed = io.BytesIO(content)
    with lzma.open(packed) if name.endswith(".xz") else gzip.open(packed) as plain:
        data = plain.read(DATA_MAX_BYTES + 1)
    if len(data) > DATA_MAX_BYTES:
        raise DebError(f"data: wanted {DATA_MAX_BYTES} bytes at most, got more")
    return data


def _ar_members(deb: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each member of an ar archive (deb(5), common format)."""
    if deb[: len(AR_MAGIC)] != AR_MAGIC:
        raise DebError(f"ar: wanted {AR_MAGIC!r}, got {deb[: len(AR_MAGIC)]!r}")
    at = len(AR_MAGIC)
    for _ in range(AR_MEMBERS_MAX_ITEMS):
        if at == len(deb):
            return
        header = deb[at : at + AR_HEADER_BYTES]
        digits = header[48:58].rstrip(b" ")
        if len(header) != AR_HEADER_BYTES or header[58:] != b"`\n" or not digits.isdigit():
            raise DebError(f"ar: wanted a member's header at {at}, got {header!r}")
        at += AR_HEADER_BYTES
        size = int(digits)
        content = deb[at : at + size]
        # Members begin at even offsets.
        at += size + size % 2
        if at > len(deb):
            raise DebError(f"ar: wanted {at} bytes, got {len(deb)}")
        yield (
            header[:16].rstrip(b" ").removesuffix(b"/").decode("ascii", "backslashreplace"),
            content,
        )
    if at != len(deb):
        raise DebError(f"ar: wanted {AR_MEMBERS_MAX_ITEMS} members at most, got more")


def _plain_path(name: str) -> str:
    """Return the member's path without the "./" that dpkg writes before it."""
    path = name.removeprefix("./").removesuffix("/")
    parts = path.split("/")
    try:
        size = len(path.encode())
    except UnicodeEncodeError as error:
        raise DebError(f"path: wanted UTF-8, got {name!r}") from error
    if size > PATH_MAX_BYTES or "\0" in path or any(part in {"", ".", ".."} for part in parts):
        raise DebError(f"path: wanted a plain relative one, got {name[:PATH_MAX_BYTES]!r}")
    return path


def _entry(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    """Return one member of the data tar as an entry."""
    path = _plain_path(member.name)
    kind = _KINDS.get(member.type)
    if kind is None:
        raise DebError(f"{path}: wanted a directory, file or link, got type {member.type!r}")
    target = member.linkname
    if kind is Kind.HARDLINK:
        target = _plain_path(target)
    elif kind is Kind.SYMLINK and (not target or "\0" in target):
        raise DebError(f"{path}: wanted the target of a link, got {target!r}")
    data = b""
    if kind is Kind.FILE:
        if member.size > FILE_MAX_BYTES:
            raise DebError(f"{path}: wanted {FILE_MAX_BYTES} bytes at most, got {member.size}")
        file = tar.extractfile(member)
        data = file.read() if file else b""
        if len(data) != member.size:
            raise DebError(f"{path}: wanted {member.size} bytes, got {len(data)}")
    return Entry(path, kind, member.mode & 0o7777, data, target)


def parse_deb(deb: bytes) -> Iterator[Entry]:
    """Yield the entries of a package's data in the archive's order, the root itself left out.

    Raises:
        DebError: the bytes are no .deb, or beyond a limit, or hold a path or type that we refuse.
    """
    members = list(_ar_members(deb))
    names = [name for name, _ in members]
    data = [(name, content) for name, content in members if name.startswith("data.tar")]
    if names[:1] != ["debian-binary"] or len(data) != 1 or data[0][0] not in DATA_MEMBERS:
        raise DebError(f"deb: wanted debian-binary and one of {DATA_MEMBERS}, got {names}")
    name, content = data[0]
    try:
        plain = io.BytesIO(_unpack(name, content))
        with tarfile.open(fileobj=plain, mode="r:", errors="strict") as tar:
            for count, member in enumerate(tar):
                if count >= ENTRIES_MAX_ITEMS:
                    raise DebError(f"data: wanted {ENTRIES_MAX_ITEMS} entries at most, got more")
                if member.name.removesuffix("/") != ".":
                    yield _entry(tar, member)
    except _BROKEN as error:
        raise DebError(f"{name}: {type(error).__name__}: {error}") from error


def entries(path: Path) -> Iterator[Entry]:
    """Yield the entries of the package at `path`; see `parse_deb`.

    Raises:
        DebError: see `parse_deb`; the text begins with the file's name.
    """
    try:
        yield from parse_deb(path.read_bytes())
    except DebError as error:
        raise DebError(f"{path.name}: {error}") from error
