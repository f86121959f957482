# SPDX-License-Identifier: Apache-2.0
"""Each limit of size is itself allowed, and one more is refused for being too much.

What is exactly as long as allowed may still be refused, for another reason: then the refusal must
not be about the length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from attest import FormatError
from attest.azure import HCL_MAX_BYTES, parse_hcl
from attest.canonical import read_canonical
from attest.closed import ITEMS_MAX, read_record
from attest.evidence import COLLATERAL_MAX_BYTES
from attest.limits import CERTIFICATE_MAX_BYTES, CRL_MAX_BYTES
from attest.scalars import Text
from attest.snp.certtable import TABLE_MAX_BYTES, parse_certificate_table
from attest.snp.launch.id_block import SIGNATURE_MAX_BYTES, write_signature
from attest.tdx.certificate import CHAIN_MAX_BYTES, parse_pem
from attest.tdx.collateral import parse_collateral
from attest.tdx.quote import QUOTE_MAX_BYTES, parse_quote
from attest.x509 import parse_certificate, parse_crl

TOO_LONG = "wanted at most"


@dataclass(frozen=True)
class Words:
    """A record with one list."""

    words: tuple[Annotated[str, Text(8)], ...]


def words(data: bytes) -> object:
    return read_record(Words, {"words": ["word"] * len(data)}, "words")


LIMITS: dict[str, tuple[Callable[[bytes], Any], int]] = {
    "certificate": (parse_certificate, CERTIFICATE_MAX_BYTES),
    "certificates in PEM": (lambda data: parse_pem(data, "chain"), CHAIN_MAX_BYTES),
    "certificate table": (parse_certificate_table, TABLE_MAX_BYTES),
    "collateral": (parse_collateral, COLLATERAL_MAX_BYTES),
    "CRL": (parse_crl, CRL_MAX_BYTES),
    "HCL report": (parse_hcl, HCL_MAX_BYTES),
    "ID signature": (write_signature, SIGNATURE_MAX_BYTES),
    "items of a list": (words, ITEMS_MAX),
    "JSON": (lambda data: read_canonical(data, "document", 64), 64),
    "quote": (parse_quote, QUOTE_MAX_BYTES),
}


def problem(parse: Callable[[bytes], Any], data: bytes) -> str:
    """What is said against it; nothing if nothing."""
    try:
        parse(data)
    except FormatError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_is_allowed_and_one_more_is_not(name: str) -> None:
    parse, most = LIMITS[name]
    assert TOO_LONG not in problem(parse, bytes(most))
    assert TOO_LONG in problem(parse, bytes(most + 1))
