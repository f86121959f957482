# SPDX-License-Identifier: Apache-2.0
"""Real quotes under the pinned root, with Intel's own collateral, at times when it was valid."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from attest import FormatError, Reason, Refused, Stage
from attest.layout import cells
from attest.roots import intel_roots
from attest.tdx.certificate import parse_pck_chain
from attest.tdx.claims import Claims
from attest.tdx.collateral import parse_collateral
from attest.tdx.quote import Quote, TdReport15, parse_quote
from attest.tdx.rules import SIGNATURE_RULES
from attest.tdx.status import TcbStatus
from attest.tdx.tcb import evaluate
from attest.tdx.verify import verify_quote
from lab.mocktsm.der import oid
from lab.mocktsm.intel_pki import PckValues, derive_key, mock_intel_roots, point, raw_signature
from lab.mocktsm.layouts import encode
from tests.attest.tdx.evidence import FOLDER, MANIFEST, Bundle, bundles, load, permissive, strict

BUNDLES = bundles()
EACH_BUNDLE = pytest.mark.parametrize("bundle", BUNDLES.values(), ids=lambda bundle: bundle.name)
EACH_QUOTE = pytest.mark.parametrize(
    "expected", MANIFEST["quotes"], ids=lambda expected: expected["quote"]
)
NOT_SUPPORTED = "NOT_SUPPORTED"
SGX_EXTENSION = "1.2.840.113741.1.13.1"

# What stands against each bundle under the most permissive policy, and under a strict one.
PERMISSIVE = {
    "gotdx-spr-2023": [Reason.TCB_NOT_SUPPORTED],
    "v4-phala-outdated": [Reason.TCB_NOT_SUPPORTED],
    "trustee-quote4-DEBUG": [Reason.TD_DEBUG],
}
STRICT = {
    "azure-trustee-old": [
        Reason.TCB_STATUS_NOT_ACCEPTED,
        Reason.ADVISORY_NOT_ACCEPTED,
        Reason.TCB_DATE_TOO_OLD,
        Reason.TD_REQUIRES_TOO_LITTLE,
        Reason.XFAM_NOT_ACCEPTED,
    ],
    "gotdx-spr-2023": [Reason.TRAILING_BYTES],
    "v4-phala-outdated": [Reason.TCB_NOT_SUPPORTED, Reason.XFAM_NOT_ACCEPTED],
    "trustee-quote4-DEBUG": [
        Reason.TCB_STATUS_NOT_ACCEPTED,
        Reason.ADVISORY_NOT_ACCEPTED,
        Reason.TCB_DATE_TOO_OLD,
        Reason.TD_DEBUG,
        Reason.XFAM_NOT_ACCEPTED,
    ],
}


def against(bundle: Bundle, policy: Any) -> list[Reason]:
    """The findings of a verification."""
    try:
        bundle.verify(policy)
    except Refused as refused:
        return [finding.reason for finding in refused.findings]
    return []


def status(bundle: Bundle) -> str:
    """The status that a refusal tells, under a policy that accepts none that is expected."""
    wrong = frozenset({TcbStatus.RELAUNCH_ADVISED_CONFIGURATION_NEEDED})
    with pytest.raises(Refused) as caught:
        bundle.verify(permissive(bundle.quote, statuses=wrong))
    told = {finding.reason: finding.got for finding in caught.value.findings}
    return (
        NOT_SUPPORTED if Reason.TCB_NOT_SUPPORTED in told else told[Reason.TCB_STATUS_NOT_ACCEPTED]
    )


def test_the_evidence_is_what_the_manifest_says() -> None:
    listed = {"manifest.json", "README.md"}
    for row in MANIFEST["files"]:
        assert hashlib.sha256(load(row["file"])).hexdigest() == row["sha256"]
        assert row["licence"] in {"Apache-2.0", "MIT", "BSD-3-Clause"}
        listed.add(row["file"])
    for row in MANIFEST["bundles"]:
        assert hashlib.sha256(load(row["collateral"])).hexdigest() == row["sha256"]
        listed.add(row["collateral"])
    found = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()}
    assert found == listed


@EACH_BUNDLE
def test_the_status_is_the_one_of_intels_algorithm(bundle: Bundle) -> None:
    assert status(bundle) == bundle.expected["status"]


@EACH_BUNDLE
def test_a_permissive_policy_accepts_whatever_is_rated_and_not_under_debug(bundle: Bundle) -> None:
    wanted = PERMISSIVE.get(bundle.name, [])
    assert against(bundle, permissive(bundle.quote)) == wanted
    if not wanted:
        report = bundle.verify(permissive(bundle.quote))
        assert report.tcb_status == bundle.expected["status"]
        assert list(report.advisories) == bundle.expected["advisories"]


@EACH_BUNDLE
def test_a_strict_policy_accepts_what_is_up_to_date_and_in_order(bundle: Bundle) -> None:
    wanted = STRICT.get(bundle.name, [])
    assert against(bundle, strict(bundle.quote)) == wanted
    assert (bundle.expected["status"] == TcbStatus.UP_TO_DATE) == (not wanted)


@EACH_BUNDLE
def test_each_part_is_rated_as_by_intels_algorithm(bundle: Bundle) -> None:
    quote, collateral = parse_quote(bundle.quote), parse_collateral(bundle.collateral)
    launch = evaluate(
        collateral.tcb_info,
        collateral.qe_identity,
        parse_pck_chain(quote.pck_chain).pck,
        quote.body,
        quote.qe_report,
    ).launch
    told: list[str] = []
    if launch.platform is not None:
        rating = launch.platform.rating
        told.append(f"platform={rating.status}@{rating.date:%Y-%m-%d}")
    for name, level in (("module", launch.module_level), ("qe", launch.qe)):
        if level is not None and launch.platform is not None:
            told.append(f"{name}={level.rating.status}")
    assert told == (bundle.expected["detail"] or [])


@EACH_BUNDLE
def test_no_other_time_will_do(bundle: Bundle) -> None:
    for days in (-400, 400):
        with pytest.raises(Refused) as caught:
            replace_now(bundle, days)
        assert caught.value.stage is Stage.CHAIN


def replace_now(bundle: Bundle, days: int) -> None:
    moved = (bundle.now + timedelta(days=days)).isoformat()
    replace(bundle, expected=bundle.expected | {"at": moved}).verify(permissive(bundle.quote))


@EACH_QUOTE
def test_the_fields_are_the_expected_ones(expected: dict[str, Any]) -> None:
    quote = parse_quote(load(expected["quote"]))
    body = quote.body
    assert (quote.header.version, quote.body_type) == (expected["version"], expected["body_type"])
    assert quote.header.user_data.hex() == expected["user_data"]
    assert len(quote.trailing) == expected["trailing_bytes"]
    assert any(quote.trailing) == expected["trailing_nonzero"]
    assert len(quote.auth_data) == expected["qe_auth_len"]
    assert quote.qe_report.isvsvn == expected["qe_isvsvn"]
    assert body.mrsigner_seam.hex() == expected["mrsignerseam"]
    same = ("mrseam", "mrtd", "seam_attributes", "td_attributes", "xfam", "tee_tcb_svn")
    for name in (*same, "mrconfigid", "mrowner", "mrownerconfig", "report_data"):
        assert getattr(body, name).hex() == expected[name]
    assert [getattr(body, f"rtmr{n}").hex() for n in range(4)] == expected["rtmr"]
    if isinstance(body, TdReport15):
        assert body.tee_tcb_svn2.hex() == expected["tee_tcb_svn2"]
        assert body.mrservicetd.hex() == expected["mrservicetd"]


@EACH_QUOTE
def test_the_attributes_have_the_expected_names(expected: dict[str, Any]) -> None:
    quote = parse_quote(load(expected["quote"]))
    claims = Claims(quote, *[None] * 4)  # type: ignore[arg-type]  # the others are not looked at
    found = {name.value.upper().replace("-", "_") for name in claims.named_attributes}
    assert found == set(expected["td_attribute_flags"]) - {"DEBUG"}


@EACH_QUOTE
def test_the_chain_and_the_signatures_are_as_expected(expected: dict[str, Any]) -> None:
    quote = parse_quote(load(expected["quote"]))
    if "fmspc" not in expected:
        with pytest.raises(FormatError):
            parse_pck_chain(quote.pck_chain)
        return
    chain, (root,) = parse_pck_chain(quote.pck_chain), intel_roots().intel
    assert expected["verdict"].startswith("signature-chain-valid")
    assert chain.root == root.der
    assert root.holder.issued(chain.ca.certificate)
    assert chain.ca.issued(chain.pck.holder.certificate)
    assert all(rule.holds(chain.pck, quote) for rule in SIGNATURE_RULES)
    assert chain.pck.fmspc.hex() == expected["fmspc"]
    assert chain.pck.pce_id.hex() == expected["pceid"]
    assert chain.pck.pce_svn == expected["pcesvn"]
    assert list(chain.pck.cpu_svns) == expected["cpusvn_components"]


@EACH_QUOTE
def test_the_mock_writes_the_same_layout(expected: dict[str, Any]) -> None:
    """Writing a real body's fields again gives its bytes."""
    quote = parse_quote(load(expected["quote"]))
    for layout in (quote.body, quote.qe_report, quote.header):
        values = {name: getattr(layout, name) for name in cells(type(layout))}
        assert encode(type(layout), values) in load(expected["quote"])


@EACH_QUOTE
def test_the_mock_mints_the_same_sgx_extension(expected: dict[str, Any]) -> None:
    if "fmspc" not in expected:
        return
    pck = parse_pck_chain(parse_quote(load(expected["quote"])).pck_chain).pck
    real = pck.holder.certificate.extensions[SGX_EXTENSION].value
    values = PckValues(
        cpu_svns=pck.cpu_svns,
        pce_svn=pck.pce_svn,
        pce_id=pck.pce_id,
        fmspc=pck.fmspc,
        ppid=pck.ppid,
        instance=octets(real, 6),
        configuration=(real[-37] != 0, real[-19] != 0, real[-1] != 0),
    )
    assert values.encoded == real


def octets(extension: bytes, number: int) -> bytes:
    """The 16 octets that the SGX extension has under this number."""
    _, _, after = extension.partition(oid(f"{SGX_EXTENSION}.{number}") + b"\x04\x10")
    return after[:16]


def forged(genuine: Quote) -> bytes:
    """An attacker's TD behind a genuine QE report and PCK chain."""
    key = derive_key("an attacker's")
    signed = bytearray(genuine.signed)
    signed[-64:] = b"\x66" * 64
    data = load("quotes/v4-phala.bin")
    start = len(genuine.signed) + 4
    own = raw_signature(key, bytes(signed)) + point(key)
    return bytes(signed) + data[start - 4 : start] + own + data[start + 128 :]


def test_a_forged_attestation_key_under_a_real_chain_is_refused() -> None:
    bundle = BUNDLES["v4-phala"]
    changed = replace(bundle, quote=forged(parse_quote(bundle.quote)))
    with pytest.raises(Refused) as caught:
        changed.verify(permissive(changed.quote))
    assert caught.value.stage is Stage.SIGNATURE
    assert [f.reason for f in caught.value.findings] == [Reason.ATTESTATION_KEY_UNBOUND]


def test_collateral_of_another_platform_is_refused() -> None:
    bundle = BUNDLES["gotdx-v5"]
    other = BUNDLES["trustee-quote4-DEBUG"]
    found = against(replace(bundle, collateral=other.collateral), permissive(bundle.quote))
    assert Reason.FMSPC_MISMATCH in found


@EACH_BUNDLE
def test_no_real_quote_is_believed_under_a_mock_root(bundle: Bundle) -> None:
    with pytest.raises(Refused) as caught:
        verify_quote(
            bundle.quote,
            bundle.collateral,
            permissive(bundle.quote),
            roots=mock_intel_roots().intel,
            now=bundle.now,
        )
    assert [f.reason for f in caught.value.findings] == [Reason.UNKNOWN_ISSUER]
