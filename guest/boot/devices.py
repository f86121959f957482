# SPDX-License-Identifier: Apache-2.0
"""The devices that this machine may have: two or three read-only disks, and no network.

``vda`` is the model and ``vdb`` the configuration document, each as it is and filled up with NUL to
whole sectors. ``vdc``, the operator's endorsement bundle, is there if the document names it, and
else not. The host chooses what it attaches, so everything is compared: which disks there are, their
sizes, and every byte of filling. A network interface has no driver in the image; that there is none
is looked at all the same.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attest.endorsements import ENDORSEMENTS_MAX_BYTES
from guest.boot.reasons import BootError, Reason
from guest.config import CONFIG_MAX_BYTES
from guest.sectors import SECTOR_BYTES, sectors, without_filling

BLOCK: Final = Path("/sys/class/block")
NETWORK: Final = Path("/sys/class/net")
NODES: Final = Path("/dev")
NUMBER_MAX_BYTES: Final = 32  # of a file in sysfs
MODEL: Final = "vda"
DOCUMENT: Final = "vdb"
BUNDLE: Final = "vdc"
READABLE: Final = 0o444  # of the bundle's node, for the keyholder; nobody writes
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


def verify(
    disks: Mapping[str, Disk],
    interfaces: Collection[str],
    *,
    model_bytes: int,
    bundle: bool = False,
) -> None:
    """Check that there is exactly what there may be; a third disk if the document names a bundle.

    Raises:
        BootError: a disk is missing, foreign, writable or of another size; or there is a network.
    """
    sizes = {
        MODEL: range(sectors(model_bytes), sectors(model_bytes) + 1),
        DOCUMENT: range(1, sectors(CONFIG_MAX_BYTES) + 1),
    }
    if bundle:
        sizes[BUNDLE] = range(1, sectors(ENDORSEMENTS_MAX_BYTES) + 1)
    if disks.keys() != sizes.keys() or not INTERFACES.issuperset(interfaces):
        raise BootError(Reason.DEVICES)
    if not all(disk.read_only and disk.sectors in sizes[name] for name, disk in disks.items()):
        raise BootError(Reason.DEVICES)


def names_bundle(path: str | None) -> bool:
    """Whether the document names a bundle, which can be in no other place than the third disk.

    Raises:
        BootError: it names another place.
    """
    if path not in (None, str(NODES / BUNDLE)):
        raise BootError(Reason.DOCUMENT)
    return path is not None


def give_bundle() -> None:
    """Let the keyholder read the third disk, as often as it needs a fresh bundle.

    Raises:
        OSError: as the kernel says.
    """
    (NODES / BUNDLE).chmod(READABLE)


def parse_document(data: bytes) -> bytes:
    """The configuration document, byte for byte, without what fills up its last sector.

    Raises:
        BootError: it is too long, or ends with NULs that fill up more than a sector.
    """
    try:
        return without_filling(data, CONFIG_MAX_BYTES)
    except ValueError as error:
        raise BootError(Reason.DOCUMENT) from error


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
