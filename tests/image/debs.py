# SPDX-License-Identifier: Apache-2.0
"""Small .debs made for tests: any members in any container."""

import gzip
import io
import lzma
import tarfile


def ar(*members: tuple[str, bytes]) -> bytes:
    """An ar archive in the common format."""
    out = b"!<arch>\n"
    for name, content in members:
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n"
        out += header.encode() + content + b"\n" * (len(content) % 2)
    return out


def member(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = "", mode: int = 0o644
) -> tarfile.TarInfo:
    """A tar member without content."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, mode
    return info


def tar(*members: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    """An uncompressed tar of members, or of plain files given as name and content."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for each in members:
            if isinstance(each, tuple):
                info = member(each[0])
                info.size = len(each[1])
                archive.addfile(info, io.BytesIO(each[1]))
            else:
                archive.addfile(each)
    return out.getvalue()


def deb(data: bytes, name: str = "data.tar.xz") -> bytes:
    """A .deb whose data member has this content."""
    packed = lzma.compress(data) if name.endswith(".xz") else gzip.compress(data)
    return ar(("debian-binary", b"2.0\n"), ("control.tar.xz", b""), (name, packed))
