# SPDX-License-Identifier: Apache-2.0
"""The Authenticode digest of a PE/COFF image: what firmware measures of a kernel that it starts.

Everything but the checksum, the pointer to the signatures and the signatures themselves, in the
order of edk2's `MeasurePeImageAndExtend`. Specification: Microsoft, "Windows Authenticode Portable
Executable Signature Format"; TCG PC Client Platform Firmware Profile. An image on which two
readers of that text may differ is refused: sections with gaps or overlaps, and a length that the
specification would pad and edk2 does not.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from attest.errors import FormatError, UnsupportedError

IMAGE_MAX_BYTES = 256 * 1024 * 1024
SECTIONS_MAX = 96  # the loader's own limit

_WHAT = "PE image"
_PE_AT = 0x3C
_COFF = struct.Struct("<4x2xH12xH2x")  # signature and COFF header: two of its numbers
_U32 = struct.Struct("<I")
_SECTION = struct.Struct("<8s8xII16x")
_UNIFIED = b".linux"  # UAPI Group, "Unified Kernel Image"
_CERTIFICATES = 4  # IMAGE_DIRECTORY_ENTRY_SECURITY
_DIRECTORIES_AT = {0x10B: 96, 0x20B: 112}  # PE32 and PE32+


@dataclass(frozen=True, slots=True)
class _Headers:
    checksum: int
    directory: int  # of the certificates
    size: int
    certificates: tuple[int, int]  # offset and size in the file
    sections: tuple[tuple[int, int], ...]  # offset and size in the file, in that order
    names: frozenset[bytes]  # of the sections, those without data too


def authenticode(image: bytes) -> bytes:
    """The SHA-384 Authenticode digest of a whole file.

    Raises:
        UnsupportedError: an image whose digest the specification leaves open.
        FormatError: not a PE image.
    """
    if len(image) > IMAGE_MAX_BYTES:
        raise FormatError(_WHAT, IMAGE_MAX_BYTES, f"wanted at most {IMAGE_MAX_BYTES} bytes")
    headers = _read_headers(image)
    digest = hashlib.sha384(image[: headers.checksum])
    digest.update(image[headers.checksum + 4 : headers.directory])
    digest.update(image[headers.directory + 8 : headers.size])
    end = headers.size
    for offset, size in headers.sections:
        if offset != end or size > len(image) - offset:
            raise UnsupportedError(
                _WHAT, offset, f"sections with a gap, an overlap or an end outside: wanted {end}"
            )
        end += size
    at, size = headers.certificates
    if size and (at + size != len(image) or at < end):
        raise UnsupportedError(_WHAT, headers.directory, "signatures that are not the file's end")
    digest.update(image[headers.size : len(image) - size])
    if (len(image) - size) % 8:
        raise UnsupportedError(_WHAT, len(image), "a length that is not a multiple of 8")
    return digest.digest()


def is_unified(image: bytes) -> bool:
    """Whether a file is a unified kernel image: a stub with kernel and initrd as its sections.

    Raises:
        FormatError: not a PE image.
    """
    return _UNIFIED in _read_headers(image).names


def _read_headers(image: bytes) -> _Headers:
    pe = _u32(image, _PE_AT)
    count, optional_size = _unpack(_COFF, image, pe)
    if image[:2] != b"MZ" or image[pe : pe + 4] != b"PE\0\0":
        raise FormatError(_WHAT, pe, "wanted the signatures MZ and PE")
    optional = pe + _COFF.size
    magic = _u32(image, optional) & 0xFFFF
    if magic not in _DIRECTORIES_AT:
        raise UnsupportedError(_WHAT, optional, f"wanted PE32 or PE32+, got 0x{magic:x}")
    directories = optional + _DIRECTORIES_AT[magic]
    directory = directories + 8 * _CERTIFICATES
    table = optional + optional_size
    size = _u32(image, optional + 60)
    if _u32(image, directories - 4) <= _CERTIFICATES or directory + 8 > table:
        raise UnsupportedError(_WHAT, directories - 4, "no directory of signatures")
    if count > SECTIONS_MAX or not table + count * _SECTION.size <= size <= len(image):
        raise FormatError(_WHAT, optional + 60, f"{count} sections and {size} bytes of headers")
    places = range(table, table + count * _SECTION.size, _SECTION.size)
    rows = [_SECTION.unpack_from(image, at) for at in places]
    sections = sorted((offset, size) for _, size, offset in rows if size)
    return _Headers(
        checksum=optional + 64,
        directory=directory,
        size=size,
        certificates=(_u32(image, directory), _u32(image, directory + 4)),
        sections=tuple(sections),
        names=frozenset(name.rstrip(b"\0") for name, _, _ in rows),
    )


def _u32(image: bytes, at: int) -> int:
    return _unpack(_U32, image, at)[0]


def _unpack(form: struct.Struct, image: bytes, at: int) -> tuple[int, ...]:
    if at + form.size > len(image):
        raise FormatError(_WHAT, at, "the image ends within its headers")
    return form.unpack_from(image, at)
