# SPDX-License-Identifier: Apache-2.0
"""The devices that this machine may have: two read-only disks, and no network.

``vda`` is the model and ``vdb`` the configuration document, each as it is and filled up with NUL to
whole sectors. The host chooses what it attaches, so everything is compared: which disks there are,
their sizes, and every byte of padding. A network interface has no driver in the image; that there
is none is looked at all the same.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from guest.boot.reasons import BootError, Reason
from guest.config import CONFIG_MAX_BYTES

BLOCK: Final = Path("/sys/class/block")
NETWORK: Final = Path("/sys/class/net")
NODES: Final = Path("/dev")
SECTOR_BYTES: Final = 512
NUMBER_MAX_BYTES: Final = 32  # of a file in sysfs
MODEL: Final = "vda"
DOCUMENT: Final = "vdb"
INTERFACES: Final = frozenset({"lo"})


@dataclass(frozen=True, slots=True)
class Disk:
    """What the kernel knows of a disk."""

    sectors: int
    read_only: bool


def look() -> tuple[Mapping[str, Disk], Collection[str]]:
    """The disks with their partitions, and the network interfaces.

    Raises:
        OSError: the kernel does not tell.
        ValueError: it tells something else than a number.
    """
    disks = {
        name: Disk(_number(BLOCK / name / "size"), bool(_number(BLOCK / name / "ro")))
        for name in os.listdir(BLOCK)  # noqa: PTH208 - names are wanted, not paths
    }
    return disks, os.listdir(NETWORK)  # noqa: PTH208


def verify(disks: Mapping[str, Disk], interfaces: Collection[str], *, model_bytes: int) -> None:
    """Check that there is exactly what there may be.

    Raises:
        BootError: a disk is missing, foreign, writable or of another size; or there is a network.
    """
    if disks.keys() != {MODEL, DOCUMENT} or not INTERFACES.issuperset(interfaces):
        raise BootError(Reason.DEVICES)
    if not all(disk.read_only for disk in disks.values()):
        raise BootError(Reason.DEVICES)
    if disks[MODEL].sectors != sectors(model_bytes):
        raise BootError(Reason.DEVICES)
    if not 1 <= disks[DOCUMENT].sectors <= sectors(CONFIG_MAX_BYTES):
        raise BootError(Reason.DEVICES)


def sectors(size: int) -> int:
    """How many sectors so many bytes take."""
    return -(-size // SECTOR_BYTES)


def parse_document(data: bytes) -> bytes:
    """The configuration document, byte for byte, without what fills up its last sector.

    Raises:
        BootError: it is too long, or ends with NULs that fill up more than a sector.
    """
    document = data.rstrip(b"\0")
    if not document or len(document) > CONFIG_MAX_BYTES or b"\0" in document:
        raise BootError(Reason.DOCUMENT)
    if len(data) != sectors(len(document)) * SECTOR_BYTES:
        raise BootError(Reason.DOCUMENT)
    return document


def open_disk(name: str) -> int:
    """A descriptor to read from the disk.

    Raises:
        OSError: as the kernel says.
    """
    return os.open(NODES / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)


def read_document() -> bytes:
    """The configuration document from its disk; not read twice.

    Raises:
        BootError: see `parse_document`.
        OSError: the disk cannot be read.
    """
    with open(open_disk(DOCUMENT), "rb", buffering=0) as disk:
        return parse_document(disk.read(CONFIG_MAX_BYTES + SECTOR_BYTES))


def _number(path: Path) -> int:
    with path.open("rb", buffering=0) as file:
        return int(file.read(NUMBER_MAX_BYTES))
