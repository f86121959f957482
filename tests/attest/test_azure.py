# SPDX-License-Identifier: Apache-2.0
"""Azure's HCL reports: real ones are read and bound, and one broken byte at a time is refused."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError, Reason, Refused, SnpEndorsements, Stage, amd_roots
from attest.azure import (
    CLAIMS_AT,
    HCL_MAX_BYTES,
    HclHeader,
    ReportType,
    claims_report_data,
    parse_hcl,
    refuse_unsigned,
    verify_hcl,
    verify_hcl_quote,
)
from attest.layout import cells, uncovered
from attest.result import VerifiedReport
from attest.snp.policy import SnpPolicy
from attest.tdx.quote import TdReport10, parse_quote
from attest.tdx.td_report import (
    differences,
    parse_td_report,
)
from lab.mocktsm import MockSnp, mock_policy, mock_roots
from lab.mocktsm.intel_collateral import collateral
from lab.mocktsm.intel_pki import mock_intel_roots
from lab.mocktsm.tdx_quote import quote
from tests.attest.snp.evidence import Sample, fitting_policy
from tests.attest.tdx.case import NOW as CASE_NOW
from tests.attest.tdx.case import STRICT
from tests.attest.tdx.test_td_report import td_report

FOLDER = Path(__file__).parents[1] / "vectors" / "azure-hcl"
MANIFEST: dict[str, Any] = json.loads((FOLDER / "manifest.json").read_text())
NAMES = [item["name"] for item in MANIFEST["expected"]]
NOW = datetime(2026, 6, 1, tzinfo=UTC)
CLAIMS = b'{"keys":[]}'
MOCK = MockSnp()


def load(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def certificate(name: str) -> bytes:
    """The VCEK's certificate of a real report."""
    if name == "milan-v2":
        # The first block of PEM (RFC 7468), between its lines of five hyphens.
        return base64.b64decode(load("milan-v2/chain.pem").split(b"-----")[2])
    return load(f"{name}/vek.der")


def u32(number: int) -> bytes:
    return number.to_bytes(4, "little")


def wrap(
    report: bytes, claims: bytes, *, kind: int = 2, version: int = 1, more: int = 100
) -> bytes:
    """An HCL report around a hardware report."""
    capabilities = bytes(4) if version == 2 else b""
    size = 20 + len(capabilities) + len(claims)
    head = b"HCLA" + u32(2) + u32(0x4C0 + size) + u32(2) + bytes(16) + report
    data = b"".join(map(u32, (size, version, kind, 1, len(claims))))
    return head + data + capabilities + claims + bytes(more)


GOOD = wrap(MOCK.report(claims_report_data(CLAIMS)), CLAIMS)


def mock_snp_policy() -> SnpPolicy:
    digest = bytes(32)
    policy = mock_policy(
        platform=MOCK, model=digest, prompts=digest, configuration=digest, max_life_s=60
    )
    assert policy.snp is not None
    return policy.snp


def verify_mock(data: bytes) -> VerifiedReport:
    return verify_hcl(
        data,
        SnpEndorsements(vek=MOCK.certificate, crl=None),
        mock_snp_policy(),
        roots=mock_roots().amd,
        now=NOW,
    )


def test_the_evidence_is_what_the_manifest_says() -> None:
    for row in MANIFEST["files"]:
        assert hashlib.sha256(load(row["file"])).hexdigest() == row["sha256"]
        assert row["licence"] in {"Apache-2.0", "MIT"}
    listed = {row["file"] for row in MANIFEST["files"]} | {"manifest.json", "README.md"}
    found = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()}
    assert found == listed


def test_every_byte_of_the_header_is_named_once_or_reserved() -> None:
    assert uncovered(HclHeader) == []


@pytest.mark.parametrize("item", MANIFEST["expected"], ids=NAMES)
def test_a_real_one_is_read(item: dict[str, str]) -> None:
    hcl = parse_hcl(load(f"{item['name']}/hcl.bin"))
    assert hcl.kind.name == item["kind"]
    assert [key["kid"] for key in json.loads(hcl.claims)["keys"]] == ["HCLAkPub", "HCLEkPub"]


@pytest.mark.parametrize("name", ["milan-v2", "milan-v3"])
def test_a_real_snp_one_verifies(name: str) -> None:
    item = next(item for item in MANIFEST["expected"] if item["name"] == name)
    data = load(f"{name}/hcl.bin")
    report = parse_hcl(data).report
    endorsements = SnpEndorsements(vek=certificate(name), crl=None)
    told = {"line": "Milan", "csp_id": None, "key": "vcek"}
    verified = verify_hcl(
        data,
        endorsements,
        fitting_policy(Sample(name, told, report, endorsements)),
        roots=amd_roots().amd,
        now=datetime.fromisoformat(item["at"]),
    )
    assert verified.checks[-1].rule == "A1"
    assert verified.report_data == claims_report_data(parse_hcl(data).claims)


def test_a_tdx_one_is_refused_by_name() -> None:
    with pytest.raises(Refused) as caught:
        verify_mock(load("tdx/hcl.bin"))
    assert caught.value.stage is Stage.FORMAT
    assert [finding.reason for finding in caught.value.findings] == [Reason.UNSUPPORTED_PLATFORM]


def test_other_claims_are_not_bound() -> None:
    with pytest.raises(Refused) as caught:
        verify_mock(GOOD.replace(CLAIMS, b'{"keys":{}}'))
    assert caught.value.stage is Stage.BINDING
    assert [finding.reason for finding in caught.value.findings] == [Reason.REPORT_DATA_MISMATCH]


def test_the_second_half_of_report_data_must_be_zero() -> None:
    data = claims_report_data(CLAIMS)[:32] + bytes(31) + b"\x01"
    with pytest.raises(Refused) as caught:
        verify_mock(wrap(MOCK.report(data), CLAIMS))
    assert [finding.reason for finding in caught.value.findings] == [Reason.REPORT_DATA_MISMATCH]


def test_a_malformed_one_is_refused_in_the_first_stage() -> None:
    with pytest.raises(Refused) as caught:
        verify_mock(b"HCLA")
    assert caught.value.stage is Stage.FORMAT
    assert [finding.reason for finding in caught.value.findings] == [Reason.MALFORMED_REPORT]


@pytest.mark.parametrize(("version", "more"), [(1, 0), (1, 5000), (2, 7)])
def test_either_version_and_any_padding_will_do(version: int, more: int) -> None:
    data = wrap(MOCK.report(claims_report_data(CLAIMS)), CLAIMS, version=version, more=more)
    assert parse_hcl(data).claims == CLAIMS
    assert verify_mock(data).checks[-1].rule == "A1"


BROKEN = {
    "another magic": (0x000, b"HCLB"),
    "version 3": (0x004, u32(3)),
    "a size that is not the claims' end": (0x008, u32(5)),
    "a request for a key": (0x00C, u32(1)),
    "a status": (0x010, u32(1)),
    "a reserved byte": (0x014, b"\x01"),
    "a data size that is not the claims'": (0x4C0, u32(5)),
    "data of version 3": (0x4C4, u32(3)),
    "an unknown kind of report": (0x4C8, u32(9)),
    "SHA-384": (0x4CC, u32(2)),
    "no claims": (0x4D0, u32(0)),
    "claims beyond the end": (0x4D0, u32(2**31)),
    "something after the claims": (len(GOOD) - 1, b"\x01"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_another_layout_is_refused(what: str) -> None:
    offset, value = BROKEN[what]
    data = GOOD[:offset] + value + GOOD[offset + len(value) :]
    assert len(data) == len(GOOD)
    with pytest.raises(FormatError):
        parse_hcl(data)


@pytest.mark.parametrize("data", [b"", GOOD[: CLAIMS_AT - 1], GOOD + bytes(HCL_MAX_BYTES)])
def test_another_length_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_hcl(data)


@pytest.mark.parametrize("data", [wrap(bytes(1184), b""), wrap(bytes(1184), CLAIMS, more=0)[:-1]])
def test_claims_that_are_not_there_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="bytes of claims are not there"):
        parse_hcl(data)


@given(st.binary(max_size=3000), st.integers(0, CLAIMS_AT + 40))
def test_any_bytes_give_a_report_or_the_packages_error(noise: bytes, at: int) -> None:
    try:
        hcl = parse_hcl(GOOD[:at] + noise)
    except FormatError:
        return
    assert hcl.kind in ReportType


TDX_CLAIMS = b'{"keys":[],"td":true}'
PARTS = {"report_data": claims_report_data(TDX_CLAIMS)}


def td_quote(version: int = 5, **body: bytes) -> bytes:
    """A quote of a TD that had these claims vouched for."""
    body_type = 3 if version == 5 else 2
    return quote(version=version, body_type=body_type, body=PARTS | body)


def wrap_td(data: bytes, claims: bytes = TDX_CLAIMS) -> bytes:
    return wrap(data + bytes(0x4A0 - len(data)), claims, kind=4)


def verify_td(hcl: bytes, quoted: bytes) -> VerifiedReport:
    return verify_hcl_quote(
        hcl, quoted, collateral(), STRICT, roots=mock_intel_roots().intel, now=CASE_NOW
    )


def td_refusal(hcl: bytes, quoted: bytes) -> tuple[Stage, list[Reason]]:
    with pytest.raises(Refused) as caught:
        verify_td(hcl, quoted)
    return caught.value.stage, [finding.reason for finding in caught.value.findings]


def test_a_real_td_report_is_read_and_is_of_the_claims() -> None:
    hcl = parse_hcl(load("tdx/hcl.bin"))
    report = parse_td_report(hcl.report)
    assert report.report_data == claims_report_data(hcl.claims)
    assert report.xfam.hex() == "e718060000000000"


@pytest.mark.parametrize("version", [4, 5])
def test_a_td_is_accepted_with_a_quote_of_its_td_report(version: int) -> None:
    quoted = td_quote(version)
    report = verify_td(wrap_td(td_report(parse_quote(quoted).body)), quoted)
    assert [check.rule for check in report.checks[-2:]] == ["A1", "A2"]
    assert report.report_data == claims_report_data(TDX_CLAIMS)
    assert report.tcb_status == "UpToDate"


def test_a_quote_vouches_for_its_own_claims_only() -> None:
    quoted = td_quote()
    hcl = wrap_td(td_report(parse_quote(quoted).body), b'{"keys":[1]}')
    assert td_refusal(hcl, quoted) == (Stage.BINDING, [Reason.REPORT_DATA_MISMATCH])


@pytest.mark.parametrize("name", sorted(cells(TdReport10)))
def test_a_quote_and_a_td_report_agree_in_every_field(name: str) -> None:
    quoted = td_quote()
    body = parse_quote(quoted).body
    other = bytes(byte ^ 1 for byte in getattr(body, name))
    report = td_report(body, **{name: other})
    assert differences(parse_td_report(report), body) == (name,)
    with pytest.raises(Refused) as caught:
        verify_td(wrap_td(report), quoted)
    (finding,) = caught.value.findings
    assert (caught.value.stage, finding.reason) == (Stage.BINDING, Reason.QUOTE_OF_ANOTHER_REPORT)
    assert finding.wanted == f"a quote of the TDREPORT inside, which has another {name}"


@pytest.mark.parametrize("name", ["tee_tcb_svn2", "mrservicetd"])
def test_what_only_later_bodies_have_is_compared_where_they_have_it(name: str) -> None:
    quoted, old = td_quote(5), td_quote(4)
    body = parse_quote(quoted).body
    report = td_report(body, **{name: b"\x07" * len(getattr(body, name))})
    assert td_refusal(wrap_td(report), quoted)[1] == [Reason.QUOTE_OF_ANOTHER_REPORT]
    assert verify_td(wrap_td(report), old).checks[-1].rule == "A2"


def test_a_quote_that_does_not_verify_is_refused_before_it_is_compared() -> None:
    quoted = bytearray(td_quote())
    quoted[0x36 + 520] ^= 1
    hcl = wrap_td(td_report(parse_quote(td_quote()).body))
    assert td_refusal(hcl, bytes(quoted)) == (Stage.SIGNATURE, [Reason.QUOTE_SIGNATURE])


def test_without_a_quote_nothing_signs_a_td_report() -> None:
    with pytest.raises(Refused) as caught:
        refuse_unsigned(load("tdx/hcl.bin"))
    (finding,) = caught.value.findings
    assert (caught.value.stage, finding.reason) == (Stage.SIGNATURE, Reason.QUOTE_REQUIRED)
    assert "nobody but the processor that made a TDREPORT" in finding.got


def test_an_snp_report_is_no_td_report() -> None:
    assert td_refusal(GOOD, td_quote()) == (Stage.FORMAT, [Reason.UNSUPPORTED_PLATFORM])
    with pytest.raises(Refused, match="unsupported-platform: wanted TDX, got SNP"):
        refuse_unsigned(GOOD)


BROKEN_TD = {
    "another type": (0x000, b"\x00"),
    "a reserved byte": (0x004, b"\x01"),
    "a module that is not the hashed one": (0x108, b"\xee"),
    "a TD that is not the hashed one": (0x210, b"\xee"),
    "a byte after it": (0x400, b"\x01"),
}


@pytest.mark.parametrize("what", BROKEN_TD)
def test_another_td_report_is_refused_in_the_first_stage(what: str) -> None:
    at, value = BROKEN_TD[what]
    hcl = load("tdx/hcl.bin")
    broken = hcl[: 0x20 + at] + value + hcl[0x21 + at :]
    assert td_refusal(broken, td_quote()) == (Stage.FORMAT, [Reason.MALFORMED_REPORT])
