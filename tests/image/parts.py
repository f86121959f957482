# SPDX-License-Identifier: Apache-2.0
"""Small parts to build images of in tests: an ELF file, a Debian package, a wheel."""

import io
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

BASE = 0x1000  # where the one segment of `elf` is loaded
HEADERS = 64 + 3 * 56


def elf(
    needed: tuple[str, ...] = (),
    *,
    soname: str = "",
    runpath: str = "",
    interpreter: str = "",
    machine: int = 62,
) -> bytes:
    """An ELF file with three segments (code, dynamic section, interpreter) and these names."""
    names = b"\0"
    tags = b""
    rows = [*((1, name) for name in needed), (14, soname), (29, runpath)]
    for tag, name in rows:
        if name:
            tags += struct.pack("<qQ", tag, len(names))
            names += name.encode() + b"\0"
    interp = len(names)
    names += interpreter.encode() + b"\0"
    tags += struct.pack("<qQ", 5, BASE + HEADERS) + struct.pack("<qQ", 0, 0)
    size = HEADERS + len(names) + len(tags)
    segments = [(1, 0, BASE, size), (2, HEADERS + len(names), 0, len(tags))]
    segments.append((3 if interpreter else 0, HEADERS + interp, 0, 0))
    head = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01",
        *(3, machine, 1, 0, 64, 0, 0, 64, 56, len(segments), 64, 0, 0),
    )
    for kind, offset, address, length in segments:
        head += struct.pack("<IIQQQQQQ", kind, 4, offset, address, address, length, length, 8)
    return head + names + tags


def deb(path: Path, files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> Path:
    """Write a Debian package with these files and symbolic links."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(f"./{name}")
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    members = (("debian-binary", b"2.0\n"), ("control.tar", b""), ("data.tar.xz", data.getvalue()))
    whole = b"!<arch>\n"
    for name, content in members:
        header = f"{name:16}{0:<12}{0:<6}{0:<6}{'100644':8}{len(content):<10}`\n"
        whole += header.encode() + content + b"\n" * (len(content) % 2)
    path.write_bytes(whole)
    return path


def wheel(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a wheel with these files."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def sdist(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a source distribution with these files below one folder."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"some-1.0/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path
