# SPDX-License-Identifier: Apache-2.0
"""The erasure receipt of an answer: checked in its trailers, kept, and checked again later.

The rule in the trailers: an answer counts as complete only with a receipt that the attested receipt
key signed, that names this exchange and this epoch, and that says the room's process exited by
itself with 0. A receipt that was kept is held against the same key and epoch. What it does not show
is in docs/zeroization.md: it tells what the attested guest saw of the process, not what became of
copies that nobody knows of.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

from attest import AttestError, VerifiedGuest
from attest.canonical import read_canonical, write_canonical
from attest.closed import Notation, read_record, write_record
from attest.evidence import EVIDENCE_MAX_BYTES
from attest.receipt import RECEIPT_MAX_BYTES, Ended, Receipt, verify_receipt
from attest.scalars import Base64Url
from attest.statement import Statement
from sealroom.errors import ReceiptError
from wire.api import RECEIPT, RECEIPT_SIGNATURE
from wire.bhttp import Fields

SIGNATURE_BYTES = 64
SIGNED_RECEIPT_MAX_BYTES = 2 * EVIDENCE_MAX_BYTES


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt as it came, with all that is needed to check it again later.

    `evidence` is the evidence object that names the key under which `signature` holds.
    """

    receipt: Annotated[bytes, Base64Url(RECEIPT_MAX_BYTES)] = field(repr=False)
    signature: Annotated[bytes, Base64Url(SIGNATURE_BYTES)] = field(repr=False)
    evidence: Annotated[bytes, Base64Url(EVIDENCE_MAX_BYTES)] = field(repr=False)
    format: Literal["sealroom-signed-receipt/1"] = "sealroom-signed-receipt/1"

    def write(self) -> bytes:
        """The file to keep: RFC 8785 JSON, all three in unpadded base64url."""
        return write_canonical(write_record(self, Notation.JSON))

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read what `write` wrote. Nothing in it is believed yet.

        Raises:
            FormatError: not the canonical bytes of one signed receipt.
        """
        value = read_canonical(data, "signed receipt", SIGNED_RECEIPT_MAX_BYTES)
        return read_record(cls, value, "signed receipt", Notation.JSON)

    def verify(self, statement: Statement) -> Receipt:
        """The receipt, under the key that ``statement`` names and of its epoch.

        Who wants it to be a guest's takes the statement from a `VerifiedGuest`.

        Raises:
            ReceiptError: it is not signed by that key, or is of another epoch.
        """
        return _verify(self.receipt, self.signature, statement)


def read_receipt(
    trailers: Fields, guest: VerifiedGuest, exchange: bytes
) -> tuple[Receipt, bytes, bytes]:
    """The receipt of `exchange`, its bytes and its signature, however its process ended.

    Raises:
        ReceiptError: it is missing, not signed by `guest`, or of another exchange.
    """
    data = _trailer(trailers, RECEIPT)
    signature = _trailer(trailers, RECEIPT_SIGNATURE)
    receipt = _verify(data, signature, guest.statement)
    if receipt.exchange != exchange:
        raise ReceiptError("that of this exchange", "that of another")
    return receipt, data, signature


def _verify(data: bytes, signature: bytes, statement: Statement) -> Receipt:
    try:
        receipt = verify_receipt(data, signature, statement.receipt_key)
    except AttestError as error:
        raise ReceiptError("one signed by the attested receipt key", str(error)) from error
    if receipt.epoch != statement.epoch:
        raise ReceiptError(f"epoch {statement.epoch}", f"{receipt.epoch}")
    return receipt


def check_emptied(receipt: Receipt) -> None:
    """Whether the room was emptied in the ordinary way.

    Raises:
        ReceiptError: its process did not exit by itself, or not with 0.
    """
    if (receipt.ended, receipt.code) != (Ended.EXITED, 0):
        raise ReceiptError("a process that exited with 0", f"{receipt.ended}, {receipt.code}")


def _trailer(trailers: Fields, name: str) -> bytes:
    values = [value for field_name, value in trailers if field_name == name]
    if len(values) != 1:
        raise ReceiptError(f"one trailer {name}", f"{len(values)}")
    text = values[0]
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if _base64url(data) != text:
        raise ReceiptError(f"{name} in canonical base64url", "another spelling")
    return data


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")
