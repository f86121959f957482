# SPDX-License-Identifier: Apache-2.0
"""Receipts: signed by the key in the statement, over the exact bytes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError
from attest.errors import ReceiptError
from attest.receipt import (
    RECEIPT_MAX_BYTES,
    Ended,
    Fact,
    Kernel,
    Receipt,
    exchange_digest,
    parse_receipt,
    verify_receipt,
    write_receipt,
)

RECEIPT = Receipt(
    epoch=7,
    exchange=exchange_digest(b"enc", b"nonce"),
    ended=Ended.EXITED,
    code=0,
    lived_ms=1234,
    erased_ms=5,
    kernel=Kernel(init_on_free=Fact.ON, swap=Fact.OFF, core_dumps=Fact.UNKNOWN),
)
WRITTEN = write_receipt(RECEIPT)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = KEY.public_key().public_bytes_raw()


def test_a_receipt_is_one_line_of_canonical_json() -> None:
    assert (
        b'{"code":0,"ended":"exited","epoch":7,"erased_ms":5,"exchange":"'
        + hashlib.sha256(b"encnonce").hexdigest().encode()
        + b'","format":"sealroom-receipt/1","kernel":{"core_dumps":"unknown","init_on_free":"on",'
        b'"swap":"off"},"lived_ms":1234}'
    ) == WRITTEN
    assert len(WRITTEN) <= RECEIPT_MAX_BYTES


@pytest.mark.parametrize("ended", list(Ended))
def test_a_signed_receipt_is_read(ended: Ended) -> None:
    receipt = replace(RECEIPT, ended=ended)
    data = write_receipt(receipt)
    assert verify_receipt(data, KEY.sign(data), PUBLIC) == receipt


@pytest.mark.parametrize(
    ("data", "signature", "key"),
    [
        (WRITTEN.replace(b"exited", b"killed"), KEY.sign(WRITTEN), PUBLIC),
        (WRITTEN, KEY.sign(WRITTEN)[:-1], PUBLIC),
        (WRITTEN, b"", PUBLIC),
        (WRITTEN, KEY.sign(WRITTEN), b"\x01" * 32),
        (WRITTEN, KEY.sign(WRITTEN), PUBLIC[:-1]),
    ],
)
def test_a_receipt_that_the_key_did_not_sign_is_refused(
    data: bytes, signature: bytes, key: bytes
) -> None:
    with pytest.raises(ReceiptError):
        verify_receipt(data, signature, key)


def test_something_else_that_the_key_signed_is_not_a_receipt() -> None:
    with pytest.raises(FormatError, match="receipt"):
        verify_receipt(b"{}", KEY.sign(b"{}"), PUBLIC)


@pytest.mark.parametrize(
    "changes", [{"code": 256}, {"lived_ms": -1}, {"exchange": bytes(31)}, {"erased_ms": 2**32}]
)
def test_what_would_not_be_read_is_not_written(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="receipt"):
        write_receipt(replace(RECEIPT, **changes))


@given(offset=st.integers(0, len(WRITTEN) - 1), value=st.binary(min_size=1, max_size=4))
def test_any_change_gives_a_receipt_or_a_format_error(offset: int, value: bytes) -> None:
    changed = WRITTEN[:offset] + value + WRITTEN[offset + len(value) :]
    try:
        assert write_receipt(parse_receipt(changed)) == changed
    except FormatError as error:
        assert error.what.startswith("receipt")
