# SPDX-License-Identifier: Apache-2.0
"""The evidence object: one spelling, endorsements of its own platform, and no roots in it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import Evidence, FormatError, SnpEndorsements, parse_evidence, write_evidence
from attest.canonical import write_canonical
from attest.evidence import EVIDENCE_MAX_BYTES, TdxEndorsements
from attest.statement import Platform

EVIDENCE = Evidence(platform=Platform.SEV_SNP, statement=b"{}", report=b"\xfb\xff")
ENDORSEMENTS = SnpEndorsements(vek=b"vek", crl=None)
WRITTEN = write_evidence(EVIDENCE, ENDORSEMENTS)


def test_it_is_one_line_of_canonical_json() -> None:
    assert WRITTEN == (
        b'{"endorsements":{"crl":null,"vek":"dmVr"},"format":"sealroom-evidence/1",'
        b'"platform":"sev-snp","report":"-_8","statement":"e30"}'
    )


@pytest.mark.parametrize("crl", [None, b"crl"])
def test_snp_evidence_reads_back_as_written(crl: bytes | None) -> None:
    endorsements = replace(ENDORSEMENTS, crl=crl)
    assert parse_evidence(write_evidence(EVIDENCE, endorsements)) == (EVIDENCE, endorsements)


def test_tdx_evidence_reads_back_as_written() -> None:
    evidence, endorsements = (
        replace(EVIDENCE, platform=Platform.TDX),
        TdxEndorsements(collateral=b"c"),
    )
    assert parse_evidence(write_evidence(evidence, endorsements)) == (evidence, endorsements)


@pytest.mark.parametrize(
    ("evidence", "endorsements"),
    [
        (EVIDENCE, TdxEndorsements(collateral=b"c")),
        (replace(EVIDENCE, platform=Platform.TDX), ENDORSEMENTS),
        (replace(EVIDENCE, report=b""), ENDORSEMENTS),
        (replace(EVIDENCE, report=bytes(20000)), ENDORSEMENTS),
        (EVIDENCE, replace(ENDORSEMENTS, vek=bytes(5000))),
    ],
)
def test_what_would_not_be_read_is_not_written(
    evidence: Evidence, endorsements: SnpEndorsements | TdxEndorsements
) -> None:
    with pytest.raises(ValueError, match="evidence"):
        write_evidence(evidence, endorsements)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "sealroom-evidence/2"},
        {"platform": "sgx"},
        {"platform": None},
        {"platform": ["sev-snp"]},
        {"report": "+/8"},
        {"report": "-_8="},
        {"report": None},
        {"ark": "AAAA"},
        {"endorsements": None},
        {"endorsements": {"vek": "dmVr"}},
        {"endorsements": {"vek": "dmVr", "crl": None, "ark": "AAAA"}},
    ],
)
def test_another_object_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(FormatError, match="evidence"):
        parse_evidence(write_canonical(json.loads(WRITTEN) | change))


@pytest.mark.parametrize("data", [b"", b"[]", b"null", WRITTEN + b"\n", b" " + WRITTEN])
def test_another_document_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="evidence"):
        parse_evidence(data)


def test_an_evidence_object_has_a_limit() -> None:
    with pytest.raises(FormatError, match="at most"):
        parse_evidence(b" " * (EVIDENCE_MAX_BYTES + 1))


@given(offset=st.integers(0, len(WRITTEN) - 1), value=st.binary(min_size=1, max_size=4))
def test_any_change_gives_evidence_or_a_format_error(offset: int, value: bytes) -> None:
    changed = WRITTEN[:offset] + value + WRITTEN[offset + len(value) :]
    try:
        assert write_evidence(*parse_evidence(changed)) == changed
    except FormatError as error:
        assert error.what.startswith("evidence")
