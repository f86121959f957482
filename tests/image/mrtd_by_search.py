# SPDX-License-Identifier: Apache-2.0
"""MRTD a second time, by another route: one stream of the TDX module's calls, hashed at its end.

The metadata is found by its GUID anywhere in the image, and not by the table at the image's end;
nothing of `attest` is used. Specification: Intel TDX Module, TDH.MEM.PAGE.ADD and TDH.MR.EXTEND;
TDX Virtual Firmware Design Guide §11.
"""

from __future__ import annotations

import hashlib
import io
import struct
import uuid

MARK = uuid.UUID("e9eaf9f3-168e-44d5-a8eb-7f4d8738f6ae").bytes_le + b"TDVF"
PAGE, CHUNK = 4096, 256
EXTEND, AUG = 1, 2


def mrtd(image: bytes, *, two_pass: bool) -> bytes:
    """The register; with ``two_pass`` a section is added whole before it is extended."""
    assert image.count(MARK) == 1
    at = image.index(MARK) + 16
    count = struct.unpack_from("<4I", image, at)[3]
    calls = io.BytesIO()
    for number in range(count):
        row = struct.unpack_from("<2I2Q2I", image, at + 16 + 32 * number)
        offset, raw, base, size, _, attributes = row
        memory = image[offset : offset + raw] + bytes(size - raw)
        adds = [b"" if attributes & AUG else _call("MEM.PAGE.ADD", base + p) for p in _pages(size)]
        extends = [
            _extends(base + p, memory[p : p + PAGE]) if attributes & EXTEND else b""
            for p in _pages(size)
        ]
        if two_pass:
            calls.write(b"".join(adds + extends))
        else:
            calls.write(b"".join(add + extend for add, extend in zip(adds, extends, strict=True)))
    return hashlib.sha384(calls.getbuffer()).digest()


def _pages(size: int) -> range:
    return range(0, size, PAGE)


def _call(name: str, address: int) -> bytes:
    return struct.pack("<16sQ104x", name.encode("ascii"), address)


def _extends(address: int, page: bytes) -> bytes:
    return b"".join(
        _call("MR.EXTEND", address + at) + page[at : at + CHUNK] for at in range(0, PAGE, CHUNK)
    )
