# SPDX-License-Identifier: Apache-2.0
"""The erasure receipt: how the process that handled one exchange ended.

The guest's keyholder writes it after it has itself seen that process exit, signs exactly these
bytes with the Ed25519 key named in the attested statement, and seals both into the last chunk of
the answer (design §3). It holds no content and no digest of content. It proves that attested
software made the observation; it proves nothing about copies made by hardware or by a kernel that
does not do what ``kernel`` says it was told.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from attest.canonical import read_canonical, write_canonical
from attest.closed import Notation, read_record, write_record
from attest.errors import FormatError, ReceiptError
from attest.scalars import Hex, Whole

RECEIPT_MAX_BYTES = 1024
MILLISECONDS_MAX = 2**32 - 1


class Ended(StrEnum):
    """How a process ended: by itself, by a signal, killed by the keyholder, or not known."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    KILLED = "killed"
    UNKNOWN = "unknown"


class Fact(StrEnum):
    """A kernel setting as read inside the guest."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """What the kernel was told about memory that outlives a process."""

    init_on_free: Fact
    swap: Fact
    core_dumps: Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One exchange's end.

    Attributes:
        epoch: the statement's epoch.
        exchange: see `exchange_digest`.
        ended: how the process ended.
        code: exit status if it exited, signal number if it was signalled or killed, else 0.
        lived_ms: from the process's birth to its observed end.
        erased_ms: from the last byte it sent to its observed end.
        kernel: kernel settings.
    """

    epoch: Annotated[int, Whole(0, 2**32 - 1)]
    exchange: Annotated[bytes, Hex(32)]
    ended: Ended
    code: Annotated[int, Whole(0, 255)]
    lived_ms: Annotated[int, Whole(0, MILLISECONDS_MAX)]
    erased_ms: Annotated[int, Whole(0, MILLISECONDS_MAX)]
    kernel: Kernel
    format: Literal["sealroom-receipt/1"] = "sealroom-receipt/1"


def exchange_digest(enc: bytes, response_nonce: bytes) -> bytes:
    """Name one exchange: SHA-256 over its encapsulated key and response nonce, both public."""
    return hashlib.sha256(enc + response_nonce).digest()


def write_receipt(receipt: Receipt) -> bytes:
    """The receipt's exact bytes, which are signed as they are.

    Raises:
        ValueError: a field is not what `parse_receipt` would take.
    """
    data = write_canonical(write_record(receipt, Notation.JSON))
    try:
        parse_receipt(data)
    except FormatError as error:
        raise ValueError(str(error)) from error
    return data


def parse_receipt(data: bytes) -> Receipt:
    """Read a receipt without looking at its signature.

    Raises:
        FormatError: not the canonical bytes of one receipt.
    """
    value = read_canonical(data, "receipt", RECEIPT_MAX_BYTES)
    return read_record(Receipt, value, "receipt", Notation.JSON)


def verify_receipt(data: bytes, signature: bytes, receipt_key: bytes) -> Receipt:
    """Read a receipt that ``receipt_key`` (of the attested statement) has signed.

    Raises:
        ReceiptError: the signature is not that key's over exactly these bytes.
        FormatError: signed, but not a receipt.
    """
    try:
        Ed25519PublicKey.from_public_bytes(receipt_key).verify(signature, data)
    except (InvalidSignature, ValueError) as error:
        raise ReceiptError("receipt: not signed by the key in the statement") from error
    return parse_receipt(data)
