# SPDX-License-Identifier: Apache-2.0
"""The endorsement bundle: one spelling, of one platform, and no roots in it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError
from attest.canonical import write_canonical
from attest.endorsements import (
    COLLATERAL_MAX_BYTES,
    ENDORSEMENTS_MAX_BYTES,
    Endorsements,
    SnpEndorsements,
    TdxEndorsements,
    parse_endorsements,
    write_endorsements,
)

SNP = SnpEndorsements(vek=b"vek", crl=None)
TDX = TdxEndorsements(collateral=b"{}")
WRITTEN = write_endorsements(SNP)
EACH = [SNP, replace(SNP, crl=b"crl"), TDX]


def test_it_is_one_line_of_canonical_json() -> None:
    assert WRITTEN == (
        b'{"endorsements":{"crl":null,"vek":"dmVr"},"format":"sealroom-endorsements/1",'
        b'"platform":"sev-snp"}'
    )


@pytest.mark.parametrize("endorsements", EACH, ids=["snp", "snp-crl", "tdx"])
def test_endorsements_read_back_as_written(endorsements: Endorsements) -> None:
    assert parse_endorsements(write_endorsements(endorsements)) == endorsements


def test_the_longest_collateral_fits() -> None:
    longest = TdxEndorsements(collateral=bytes(COLLATERAL_MAX_BYTES))
    assert parse_endorsements(write_endorsements(longest)) == longest


@pytest.mark.parametrize(
    "endorsements",
    [
        replace(SNP, vek=b""),
        replace(SNP, vek=bytes(5000)),
        TdxEndorsements(collateral=bytes(COLLATERAL_MAX_BYTES + 1)),
    ],
    ids=["empty", "vek", "collateral"],
)
def test_what_would_not_be_read_is_not_written(endorsements: Endorsements) -> None:
    with pytest.raises(ValueError, match="endorsements"):
        write_endorsements(endorsements)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "sealroom-evidence/1"},
        {"platform": "tdx"},
        {"platform": "sgx"},
        {"platform": None},
        {"platform": ["sev-snp"]},
        {"ark": "AAAA"},
        {"endorsements": None},
        {"endorsements": {"vek": "dmVr"}},
        {"endorsements": {"vek": "dmVr=", "crl": None}},
        {"endorsements": {"vek": "dmVr", "crl": None, "ark": "AAAA"}},
        {"endorsements": {"collateral": "e30"}},
    ],
)
def test_another_object_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(FormatError, match="endorsements"):
        parse_endorsements(write_canonical(json.loads(WRITTEN) | change))


@pytest.mark.parametrize("data", [b"", b"[]", b"null", WRITTEN + b"\n", b" " + WRITTEN])
def test_another_document_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="endorsements"):
        parse_endorsements(data)


def test_a_bundle_has_a_limit() -> None:
    with pytest.raises(FormatError, match="at most"):
        parse_endorsements(b" " * (ENDORSEMENTS_MAX_BYTES + 1))


@given(st.binary())
def test_any_bytes_give_endorsements_or_a_format_error(data: bytes) -> None:
    try:
        assert write_endorsements(parse_endorsements(data)) == data
    except FormatError as error:
        assert error.what.startswith("endorsements")


@given(
    which=st.sampled_from(EACH),
    place=st.integers(0, 200),
    value=st.binary(min_size=1, max_size=4),
)
def test_any_change_gives_endorsements_or_a_format_error(
    which: Endorsements, place: int, value: bytes
) -> None:
    written = write_endorsements(which)
    offset = place % len(written)
    changed = written[:offset] + value + written[offset + len(value) :]
    try:
        assert write_endorsements(parse_endorsements(changed)) == changed
    except FormatError as error:
        assert error.what.startswith("endorsements")
