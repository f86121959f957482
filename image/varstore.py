# SPDX-License-Identifier: Apache-2.0
"""The variables in a firmware image: read strictly, and taken out.

Debian's OVMF for TDX carries Microsoft's Secure Boot keys, and firmware that has a platform key
starts no kernel that those keys do not sign. Without variables it is in setup mode and starts the
kernel that is measured. The variables lie in the configuration volume, which MRTD does not cover
(`attest.tdx.launch.mrtd`); TDVF measures it into RTMR0.

Formats: UEFI Platform Initialization, vol. 3 (EFI_FIRMWARE_VOLUME_HEADER); edk2,
MdeModulePkg/Include/Guid/VariableFormat.h (VARIABLE_STORE_HEADER, AUTHENTICATED_VARIABLE_HEADER).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from image.errors import ImageError

ERASED: Final = 0xFF  # what flash memory holds where nothing was written

_VOLUME: Final = struct.Struct("<16s16sQ4sIHH")  # up to the checksum
_STORE: Final = struct.Struct("<16sIBBHI")
_VARIABLE: Final = struct.Struct("<HBBIQ16sIII16s")
_NV_DATA: Final = UUID("fff12b8d-7696-4c8b-a985-2747075b4f50").bytes_le
_AUTHENTICATED: Final = UUID("aaf32c78-947b-439a-a180-2e144ec37792").bytes_le
_FORMATTED, _HEALTHY = 0x5A, 0xFE
_START_ID: Final = 0x55AA
_ADDED: Final = 0x3F  # a variable that is there; a deleted one has bits of it cleared


class VarstoreError(ImageError):
    """The configuration volume is not as edk2 writes it."""

    def __init__(self, what: str, offset: int, wanted: str) -> None:
        super().__init__(f"variable store: {what} at byte 0x{offset:x}: wanted {wanted}")


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable that is set."""

    name: str
    vendor: UUID
    data: bytes


def read_variables(volume: bytes) -> tuple[Variable, ...]:
    """The variables of a configuration volume, in their order.

    Raises:
        VarstoreError: it is no such volume, or has deleted variables or something behind the last.
    """
    start, end = _place(volume)
    return tuple(variable for variable, _ in _variables(volume, start, end))


def without_variables(volume: bytes) -> bytes:
    """The same volume with no variable in it, as edk2 builds one.

    Raises:
        VarstoreError: see `read_variables`.
    """
    read_variables(volume)
    start, end = _place(volume)
    return volume[:start] + bytes([ERASED]) * (end - start) + volume[end:]


def _place(volume: bytes) -> tuple[int, int]:
    """Where the variables are: from the store's header to its end."""
    if len(volume) < _VOLUME.size:
        raise VarstoreError("volume", 0, f"{_VOLUME.size} bytes of header")
    _, kind, size, signature, _, length, _ = _VOLUME.unpack_from(volume)
    if kind != _NV_DATA or signature != b"_FVH" or size != len(volume):
        raise VarstoreError("volume", 0, "one of variables, of the section's size")
    if length % 2 or length + _STORE.size > len(volume):
        raise VarstoreError("volume", 0, "a header within it")
    if sum(struct.unpack_from(f"<{length // 2}H", volume)) & 0xFFFF:
        raise VarstoreError("volume", 0, "a header whose words add up to 0")
    kind, size, form, state, *reserved = _STORE.unpack_from(volume, length)
    if kind != _AUTHENTICATED or (form, state) != (_FORMATTED, _HEALTHY) or any(reserved):
        raise VarstoreError("store", length, "a healthy one of authenticated variables")
    if not _STORE.size <= size <= len(volume) - length:
        raise VarstoreError("store", length, "one that fits into its volume")
    return length + _STORE.size, length + size


def _variables(volume: bytes, start: int, end: int) -> Iterator[tuple[Variable, int]]:
    at = start
    while at + _VARIABLE.size <= end:
        row = _VARIABLE.unpack_from(volume, at)
        magic, state, _, _, _, _, _, name_bytes, data_bytes, vendor = row
        if magic != _START_ID:
            break
        name_at = at + _VARIABLE.size
        data_at = name_at + name_bytes
        if state != _ADDED or data_at + data_bytes > end:
            raise VarstoreError("variable", at, "one that is set, within its store")
        try:
            name = volume[name_at:data_at].decode("utf-16-le")
        except UnicodeDecodeError as error:
            raise VarstoreError("variable", at, "a name in UTF-16") from error
        if not name.endswith("\0"):
            raise VarstoreError("variable", at, "a name that ends with a NUL")
        data = volume[data_at : data_at + data_bytes]
        at += -(-(_VARIABLE.size + name_bytes + data_bytes) // 4) * 4
        yield Variable(name[:-1], UUID(bytes_le=vendor), data), at
    if volume[at:end].strip(bytes([ERASED])):
        raise VarstoreError("end", at, "nothing written behind the last variable")
