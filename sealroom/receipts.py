# SPDX-License-Identifier: Apache-2.0
"""The erasure receipt of an answer: found in the trailers, checked against this very exchange.

The rule: an answer counts as complete only with a receipt that the attested receipt key signed,
that names this exchange and this epoch, and that says the room's process exited by itself with 0.
What a receipt does not show is written in the guest's own documentation: it tells what the attested
guest saw of the process, not what became of its memory after that.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

import rfc8785

from attest import AttestError, VerifiedGuest
from attest.receipt import Ended, Receipt, verify_receipt
from sealroom.errors import ReceiptError
from wire.api import RECEIPT, RECEIPT_SIGNATURE
from wire.bhttp import Fields

FORMAT = "sealroom-signed-receipt/1"


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt as it came, with all that is needed to check it again later.

    `evidence` is the evidence object that names the key under which `signature` holds.
    """

    receipt: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    evidence: bytes = field(repr=False)

    def write(self) -> bytes:
        """The file to keep: RFC 8785 JSON, all three in unpadded base64url."""
        return rfc8785.dumps(
            {
                "format": FORMAT,
                "receipt": _base64url(self.receipt),
                "signature": _base64url(self.signature),
                "evidence": _base64url(self.evidence),
            }
        )


def read_receipt(
    trailers: Fields, guest: VerifiedGuest, exchange: bytes
) -> tuple[Receipt, bytes, bytes]:
    """The receipt of `exchange`, its bytes and its signature, however its process ended.

    Raises:
        ReceiptError: it is missing, not signed by `guest`, or of another exchange.
    """
    data = _trailer(trailers, RECEIPT)
    signature = _trailer(trailers, RECEIPT_SIGNATURE)
    try:
        receipt = verify_receipt(data, signature, guest.receipt_key)
    except AttestError as error:
        raise ReceiptError("one signed by the attested receipt key", str(error)) from error
    if receipt.exchange != exchange:
        raise ReceiptError("that of this exchange", "that of another")
    if receipt.epoch != guest.statement.epoch:
        raise ReceiptError(f"epoch {guest.statement.epoch}", f"{receipt.epoch}")
    return receipt, data, signature


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
