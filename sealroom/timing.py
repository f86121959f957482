# SPDX-License-Identifier: Apache-2.0
"""Where the time of one answer went, in whole milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

from attest.receipt import Receipt
from wire.api import Done


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Milliseconds, measured by three clocks: this device's, the worker's, the keyholder's.

    Attributes:
        fetch: getting the evidence this answer was sealed under; before `total` began.
        verify: verifying it; before `total` began.
        seal: sealing the request.
        first_byte: from its sending to the first byte of the answer.
        total: from the start of sealing to the checked receipt.
        queue: waiting for a room, by the guest.
        open: opening the request, by the guest.
        prefill: reading the prompt, by the guest.
        decode: writing the text, by the guest.
        lived: the life of the room's process, from its birth to its observed end, by the receipt.
        erased: the part of it after its last byte was sent, by the receipt.
        relay: the rest of `total`: the network, the relay, the ingress, and the padding's tick.
    """

    fetch: int
    verify: int
    seal: int
    first_byte: int
    total: int
    queue: int
    open: int
    prefill: int
    decode: int
    lived: int
    erased: int
    relay: int


@dataclass(slots=True)
class Stopwatch:
    """The instants of one exchange on the device's clock, in seconds."""

    started: float = 0.0
    sealed: float = 0.0
    first_byte: float | None = None


def timing(
    watch: Stopwatch, ended: float, *, fetch_ms: int, verify_ms: int, done: Done, receipt: Receipt
) -> Timing:
    """The account of an exchange that `ended` at that instant."""
    total = milliseconds(ended - watch.started)
    seal = milliseconds(watch.sealed - watch.started)
    first_byte = ended if watch.first_byte is None else watch.first_byte
    guest = done.ms.queue + receipt.lived_ms
    return Timing(
        fetch=fetch_ms,
        verify=verify_ms,
        seal=seal,
        first_byte=milliseconds(first_byte - watch.sealed),
        total=total,
        queue=done.ms.queue,
        open=done.ms.open,
        prefill=done.ms.prefill,
        decode=done.ms.decode,
        lived=receipt.lived_ms,
        erased=receipt.erased_ms,
        # The clocks are three and each is rounded: a rest below nothing is nothing.
        relay=max(0, total - seal - guest),
    )


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, rounded."""
    return round(seconds * 1000)
