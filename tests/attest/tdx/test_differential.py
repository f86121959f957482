# SPDX-License-Identifier: Apache-2.0
"""The same evidence through dcap-qvl (Rust): one verdict, or a difference explained."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import dcap_qvl as oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attest import Reason, Refused
from attest.tdx.status import PART_STATUSES, PLATFORM_STATUSES, TcbStatus
from lab.mocktsm.intel_collateral import (
    DATE,
    GOOD_SGX,
    GOOD_TDX,
    OLD_DATE,
    OLD_SGX,
    OLD_TDX,
    collateral,
    level,
    module,
    platform_tcb,
    qe_identity,
    tcb_info,
)
from lab.mocktsm.intel_pki import root_certificate
from lab.mocktsm.tdx_quote import quote
from tests.attest.tdx.breaks import BREAKS
from tests.attest.tdx.case import TdxCase, collated, quoted
from tests.attest.tdx.evidence import ANY_ADVISORY, Bundle, bundles, permissive

Verdict = tuple[str, tuple[str, ...]]
REFUSED: Verdict = ("refused", ())
BUNDLES = bundles()
MUTATIONS, ALL_MUTATIONS = 300, 10_000

# What dcap-qvl demands beyond Intel's algorithm, where a policy of ours may do without.
ITS_OWN_DEMANDS = {"azure-trustee-old": "SEPT_VE_DISABLE"}

# What dcap-qvl 0.7.0 lets pass that Intel's algorithm or the checklist refuses.
# PCEID: the reference compares it (Quote Verification Library, 4.1.2.4.10).
# The end: a document is in force until nextUpdate, and no longer at it.
# Trailing bytes, and roots in collateral that lead nowhere, are not looked at.
LENIENT = {
    Reason.UNSUPPORTED_CERTIFICATION,
    Reason.PCEID_MISMATCH,
    Reason.COLLATERAL_EXPIRED,
    Reason.TRAILING_BYTES,
    Reason.COLLATERAL_ROOT,
}
# What only a policy asks, or whom a verifier believes: dcap-qvl leaves both to its caller.
LEFT_TO_THE_CALLER = {
    Reason.UNKNOWN_ISSUER,
    Reason.QUOTE_VERSION_NOT_ACCEPTED,
    Reason.BODY_TYPE_NOT_ACCEPTED,
    Reason.PLATFORM_NOT_LISTED,
    Reason.TCB_STATUS_NOT_ACCEPTED,
    Reason.ADVISORY_NOT_ACCEPTED,
    Reason.EVALUATION_TOO_OLD,
    Reason.TCB_DATE_TOO_OLD,
    Reason.TD_ALLOWS_TOO_MUCH,
    Reason.XFAM_NOT_ACCEPTED,
    Reason.UNKNOWN_DEVICES,
    Reason.UNKNOWN_MEASUREMENT,
    Reason.UNKNOWN_RTMRS,
    Reason.UNKNOWN_CONFIG_ID,
    Reason.UNKNOWN_OWNER,
    Reason.UNKNOWN_OWNER_CONFIG,
    Reason.UNKNOWN_SEAM_MODULE,
}


def theirs(data: bytes, material: bytes, now_s: int, root: bytes | None) -> Verdict:
    """The status and advisories that dcap-qvl gives."""
    try:
        read = oracle.QuoteCollateralV3.from_json(material.decode())
        if root is None:
            report = oracle.verify(data, read, now_s)
        else:
            report = oracle.verify_with_root_ca(data, read, root, now_s)
    except ValueError:
        return REFUSED
    return str(report.status), tuple(sorted(report.advisory_ids))


def on_mock(case: TdxCase) -> Verdict:
    return theirs(case.quote, case.collateral, int(case.now.timestamp()), root_certificate())


def on_bundle(bundle: Bundle) -> Verdict:
    return theirs(bundle.quote, bundle.collateral, int(bundle.now.timestamp()), None)


def ours(case: TdxCase | Bundle) -> Verdict:
    """The status and advisories under the most permissive policy."""
    policy = permissive(case.quote)
    try:
        if isinstance(case, Bundle):
            report = case.verify(policy)
        else:
            report = replace(case, policy=replace(policy, advisories=ADVISORIES)).verify()
    except Refused:
        return REFUSED
    return str(report.tcb_status), report.advisories


ADVISORIES = ANY_ADVISORY | {f"INTEL-SA-0000{number}" for number in range(10)}


@pytest.mark.parametrize("bundle", BUNDLES.values(), ids=lambda bundle: bundle.name)
def test_both_rate_real_evidence_alike(bundle: Bundle) -> None:
    if bundle.name in ITS_OWN_DEMANDS:
        assert (on_bundle(bundle), ours(bundle)[0]) == (REFUSED, bundle.expected["status"])
    else:
        assert on_bundle(bundle) == ours(bundle)


@pytest.mark.parametrize("reason", list(BREAKS))
def test_both_refuse_what_is_broken_or_the_difference_is_known(reason: Reason) -> None:
    verdict = on_mock(BREAKS[reason][1]())
    assert (verdict != REFUSED) == (reason in LENIENT | LEFT_TO_THE_CALLER)


SVNS = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 11])
STATUS = st.sampled_from(sorted(PLATFORM_STATUSES))
PART = st.sampled_from(sorted(PART_STATUSES))
TEE_TCB_SVN = st.tuples(SVNS, st.sampled_from([0, 1, 3, 9]), SVNS).map(
    lambda svns: bytes(svns).ljust(16, b"\x00")
)


@settings(max_examples=150, deadline=None)
@given(
    launched=TEE_TCB_SVN,
    running=TEE_TCB_SVN,
    body_type=st.sampled_from([2, 3]),
    qe_svn=SVNS,
    statuses=st.tuples(STATUS, STATUS),
    parts=st.tuples(PART, PART, PART, PART),
    sgx=st.sampled_from([GOOD_SGX, OLD_SGX, b"\x09"]),
)
def test_both_evaluate_alike(
    launched: bytes,
    running: bytes,
    body_type: int,
    qe_svn: int,
    statuses: tuple[TcbStatus, TcbStatus],
    parts: tuple[TcbStatus, ...],
    sgx: bytes,
) -> None:
    levels = [
        level(statuses[0], DATE, platform_tcb(sgx, GOOD_TDX, 13), "INTEL-SA-00001"),
        level(statuses[1], OLD_DATE, platform_tcb(OLD_SGX, OLD_TDX, 13), "INTEL-SA-00002"),
    ]
    modules = [
        module(
            "TDX_01",
            level(parts[0], DATE, {"isvsvn": 6}, "INTEL-SA-00003"),
            level(parts[1], OLD_DATE, {"isvsvn": 4}, "INTEL-SA-00004"),
        ),
        module("TDX_03", level(parts[2], DATE, {"isvsvn": 3}, "INTEL-SA-00005")),
    ]
    qe_levels = [
        level("UpToDate", DATE, {"isvsvn": 4}),
        level(parts[3], OLD_DATE, {"isvsvn": 2}, "INTEL-SA-00006"),
    ]
    body = {"tee_tcb_svn": launched}
    if body_type == 3:
        body["tee_tcb_svn2"] = running
    case = TdxCase(
        quote=quote(body_type=body_type, body=body, qe={"isvsvn": qe_svn}),
        collateral=collateral(
            tcb=tcb_info(tcbLevels=levels, tdxModuleIdentities=modules),
            qe=qe_identity(tcbLevels=qe_levels),
        ),
    )
    assert on_mock(case) == ours(case)


def mutated(seed: int, count: int) -> Iterator[bytes]:
    """Real quotes with a few bytes changed, or cut off, or lengthened."""
    source = random.Random(seed)
    names = ["v4-phala", "gotdx-v5", "gotdx-cos113"]
    for _ in range(count):
        data = bytearray(BUNDLES[source.choice(names)].quote)
        for _ in range(source.choice((1, 1, 1, 2, 8))):
            offset = source.randrange(min(len(data), 5006))
            data[offset] = source.choice((data[offset] ^ 1 << source.randrange(8), 0, 0xFF))
        if source.random() < 0.05:
            del data[source.randrange(len(data)) :]
        yield bytes(data)


# What holds a quote together and nobody signs. dcap-qvl does not look at the type and size of the
# outer certification data, at line ends in PEM, or at the last certificate, in whose place it puts
# its own root; the checklist's T2 wants exact nesting, and the quote's root to be the pinned one.
FRAME = {
    Reason.MALFORMED_QUOTE,
    Reason.UNSUPPORTED_CERTIFICATION,
    Reason.MALFORMED_PCK_CHAIN,
    Reason.UNKNOWN_ISSUER,
}


def disagreements(count: int) -> list[str]:
    """Mutated quotes on which the two differ, but for those that only we refuse for their frame."""
    found: list[str] = []
    for data in mutated(20261121, count):
        for name in ("v4-phala", "gotdx-v5", "gotdx-cos113"):
            original = BUNDLES[name]
            if data[:1] != original.quote[:1] or data[100:130] != original.quote[100:130]:
                continue
            changed = replace(original, quote=data)
            theirs_is = on_bundle(changed)
            try:
                report = changed.verify(permissive(original.quote))
            except Refused as refused:
                reasons = {finding.reason for finding in refused.findings}
                if theirs_is != REFUSED and not reasons <= FRAME:
                    found.append(f"{name}: only we refuse, {refused}")
                continue
            if theirs_is != (str(report.tcb_status), report.advisories):
                found.append(f"{name}: only we accept, or another status: {theirs_is}")
    return found


def test_both_refuse_the_same_changed_quotes() -> None:
    assert disagreements(MUTATIONS) == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_both_refuse_the_same_ten_thousand_changed_quotes() -> None:
    assert disagreements(ALL_MUTATIONS) == []


def test_both_accept_what_is_good() -> None:
    for case in (TdxCase(), quoted(body_type=3), collated()):
        assert on_mock(case) == ours(case) == ("UpToDate", ())
