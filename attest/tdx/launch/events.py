# SPDX-License-Identifier: Apache-2.0
"""The events that make RTMR1 and RTMR2 when TDVF starts a kernel that QEMU hands over.

A register starts as zeros; each event extends it to SHA-384 of the register and the event's digest.
Specifications: Intel TDX Virtual Firmware Design Guide (which PCR is which register) and TCG PC
Client Platform Firmware Profile; the EFI stub of Linux 6.9 and later measures its own load options
and the initrd.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from attest.errors import UnsupportedError

REGISTER_BYTES = 48


@dataclass(frozen=True, slots=True)
class Event:
    """One measured thing and its SHA-384."""

    name: str
    digest: bytes


class LoadOptions(StrEnum):
    """What the firmware makes of the command line, in front of or behind which it names the initrd.

    Seen: behind it in edk2-stable202502, in front of it in edk2-stable202608.
    """

    INITRD_FIRST = "initrd-first"
    INITRD_LAST = "initrd-last"


def event(name: str, data: bytes) -> Event:
    """The event that measures ``data``."""
    return Event(name, hashlib.sha384(data).digest())


def replay(events: Iterable[Event]) -> bytes:
    """The register after these events."""
    register = bytes(REGISTER_BYTES)
    for item in events:
        register = hashlib.sha384(register + item.digest).digest()
    return register


def rtmr1_events(kernel: bytes) -> tuple[Event, ...]:
    """What TDVF measures of the boot.

    Args:
        kernel: Authenticode digest of the file. It is right with QEMU 10 and later only: older ones
            change the kernel's header, by the memory's size among others, before TDVF sees it.
    """
    return (
        Event("kernel", kernel),
        event("start of the boot option", b"Calling EFI Application from Boot Option"),
        SEPARATOR,
        event("exit of boot services", b"Exit Boot Services Invocation"),
        event("end of boot services", b"Exit Boot Services Returned with Success"),
    )


def rtmr2_events(cmdline: str, form: LoadOptions, initrd: bytes) -> tuple[Event, ...]:
    """What the kernel's EFI stub measures.

    Args:
        cmdline: as QEMU's ``-append`` has it.
        form: what the firmware makes of it.
        initrd: SHA-384 of it.

    Raises:
        UnsupportedError: see `load_options`.
    """
    return (event("load options", load_options(cmdline, form)), Event("initrd", initrd))


def load_options(cmdline: str, form: LoadOptions) -> bytes:
    """The kernel's LoadOptions, in UTF-16 with the final NUL.

    Raises:
        UnsupportedError: a command line that is empty or not printable ASCII: firmware differs in
            what it makes of those.
    """
    if not cmdline or not cmdline.isascii() or not cmdline.isprintable():
        raise UnsupportedError("command line", None, "for TDX, wanted printable ASCII, not empty")
    text = {
        LoadOptions.INITRD_FIRST: f"initrd=initrd {cmdline}",
        LoadOptions.INITRD_LAST: f"{cmdline} initrd=initrd",
    }[form]
    return f"{text}\0".encode("utf-16-le")


SEPARATOR = event("separator", bytes(4))
