# SPDX-License-Identifier: Apache-2.0
"""RTMR0: the variables, the memory list and the ACPI tables, as far as they can be foreseen.

Its events depend on the guest's shape: memory, vCPUs, devices and QEMU's version are in the TD HOB
and in the ACPI tables, which are therefore taken as they are. Only the event order of
edk2-stable202502 is modelled; later firmware measures QEMU's boot menu, SMBIOS tables and more, and
is refused by name. Specifications: TCG PC Client Platform Firmware Profile (UEFI_VARIABLE_DATA) and
UEFI (EFI_LOAD_OPTION).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from uuid import UUID

from attest.errors import UnsupportedError
from attest.tdx.launch.events import SEPARATOR, Event, event

GLOBAL_VARIABLE = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
IMAGE_SECURITY_DATABASE = UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
MODELLED = "edk2-stable202502"

# In the order in which they are measured. Firmware without keys has them all empty.
SECURE_BOOT_VARIABLES: tuple[tuple[str, UUID], ...] = (
    ("SecureBoot", GLOBAL_VARIABLE),
    ("PK", GLOBAL_VARIABLE),
    ("KEK", GLOBAL_VARIABLE),
    ("db", IMAGE_SECURITY_DATABASE),
    ("dbx", IMAGE_SECURITY_DATABASE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What RTMR0 is made of, byte for byte.

    Attributes:
        td_hob: the hand-off block that QEMU writes.
        cfv: the firmware's configuration volume, as the image has it.
        acpi_loader: QEMU's file etc/table-loader.
        acpi_rsdp: its etc/acpi/rsdp.
        acpi_tables: its etc/acpi/tables.
        boot_options: the data of Boot0000, Boot0001, … in boot order.
    """

    td_hob: bytes
    cfv: bytes
    acpi_loader: bytes
    acpi_rsdp: bytes
    acpi_tables: bytes
    boot_options: tuple[bytes, ...]


def rtmr0_events(shape: Shape, firmware: str) -> tuple[Event, ...]:
    """What TDVF without Secure Boot keys measures before it starts a boot option.

    Raises:
        UnsupportedError: firmware of another generation than `MODELLED`.
    """
    if firmware != MODELLED:
        raise UnsupportedError("RTMR0", None, f"wanted {MODELLED}, got {firmware}: not modelled")
    order = struct.pack(f"<{len(shape.boot_options)}H", *range(len(shape.boot_options)))
    return (
        event("TD HOB", shape.td_hob),
        event("configuration volume", shape.cfv),
        *(Event(name, variable_digest(name, of)) for name, of in SECURE_BOOT_VARIABLES),
        SEPARATOR,
        event("ACPI loader", shape.acpi_loader),
        event("ACPI RSDP", shape.acpi_rsdp),
        event("ACPI tables", shape.acpi_tables),
        event("BootOrder", order),
        *(event(f"Boot{n:04X}", data) for n, data in enumerate(shape.boot_options)),
    )


def variable_digest(name: str, vendor: UUID, data: bytes = b"") -> bytes:
    """SHA-384 of a UEFI_VARIABLE_DATA. Boot options are measured by their data alone."""
    head = vendor.bytes_le + struct.pack("<QQ", len(name), len(data))
    return hashlib.sha384(head + name.encode("utf-16-le") + data).digest()


def boot_option(attributes: int, description: str, *files: UUID) -> bytes:
    """An EFI_LOAD_OPTION whose path is a firmware volume, and in it a file.

    Args:
        attributes: LOAD_OPTION_* bits.
        description: what the boot menu shows.
        files: GUIDs of the volume and of the file.
    """
    nodes = ((0x04, 0x07), (0x04, 0x06))  # media path: firmware volume, firmware file
    path = b"".join(
        struct.pack("<BBH", *node, 20) + guid.bytes_le
        for node, guid in zip(nodes, files, strict=True)
    )
    path += struct.pack("<BBH", 0x7F, 0xFF, 4)  # the end of the path
    head = struct.pack("<IH", attributes, len(path))
    return head + f"{description}\0".encode("utf-16-le") + path
