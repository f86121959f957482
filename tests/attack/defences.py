# SPDX-License-Identifier: Apache-2.0
"""Every defence that can be taken away, and the attacks that then succeed.

A defence goes either by patching the device in the process of the test (`without`), or by other
programs and modules in the deployment (`programs`, `modules`). What cannot be taken away in a
useful way has its reason in `REASONS`; a test sees to it that each attack is in one of the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from attest.findings import Reason
from lab.attack import platform, statements
from lab.attack.impostor import reasons_of
from lab.mocktsm import SnpFault, TdxFault
from tests.attack import patches

HERE = "tests.attack.programs"


def nothing(_: pytest.MonkeyPatch) -> None:
    """The device stays as it is."""


@dataclass(frozen=True)
class Defence:
    """One defence.

    Attributes:
        name: what it is.
        attacks: what succeeds without it.
        without: takes it out of the device.
        programs, modules: run in its place in the deployment.
    """

    name: str
    attacks: tuple[str, ...]
    without: patches.Patch = nothing
    programs: Mapping[str, str] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)


# Reasons that stand in no table of rules; all others do.
OWN = {
    Reason.REPORT_SIGNATURE: patches.snp_signature,
    Reason.VEK_SIGNATURE: patches.snp_issuer_signature,
    Reason.CRL_STALE: patches.snp_revocation,
    Reason.REVOKED: patches.snp_revocation,
    Reason.UNKNOWN_ISSUER: patches.tdx_root,
    Reason.TRAILING_BYTES: patches.tdx_trailing_bytes,
}


# A forgery changes a field that a second rule looks at.
SECOND = {
    SnpFault.FORGED_REPORT: Reason.UNKNOWN_MEASUREMENT,
    TdxFault.FORGED_QUOTE: Reason.REPORT_DATA_MISMATCH,
}


def _both(*wanted: Reason) -> patches.Patch:
    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        patches.rules(*wanted)(monkeypatch)
        for reason in wanted:
            if reason in OWN:
                OWN[reason](monkeypatch)

    return patch


def _of_platform() -> tuple[Defence, ...]:
    """For each fault of a platform, the rules that find it."""
    found = []
    for row in platform.ROWS:
        second = {SECOND[row.fault]} if row.fault in SECOND else set()
        reasons = sorted(reasons_of(row.fault) | second)
        found.append(Defence(", ".join(reasons), (row.name,), _both(*reasons)))
    return tuple(found)


def _rule(reason: Reason, *attacks: str) -> Defence:
    return Defence(reason, attacks, _both(reason))


DEFENCES: tuple[Defence, ...] = (
    *_of_platform(),
    _rule(Reason.VARIANT_NOT_ACCEPTED, "research-for-production"),
    Defence(
        "the key of the certificate has signed the bytes that came",
        ("swapped-endorsements", "report-altered"),
        _both(Reason.REPORT_SIGNATURE, Reason.CHIP_ID_MISMATCH, Reason.UNKNOWN_MEASUREMENT),
    ),
    _rule(Reason.PRODUCT_NOT_ACCEPTED, "old-generation"),
    *(_rule(row[4], row[0]) for row in statements.STATED),
    Defence(
        "pinned roots",
        ("mock-for-production", "mock-tdx-for-production"),
        patches.pinned_roots,
    ),
    Defence(
        "the report vouches for the statement",
        ("key-config-swap", "key-config-swap-at-refresh", "statement-altered", "life-prolonged"),
        patches.bound_statement,
    ),
    _rule(Reason.STATEMENT_EXPIRED, "evidence-past-its-life"),
    _rule(Reason.STATEMENT_NOT_YET_VALID, "evidence-before-its-life"),
    _rule(Reason.UNKNOWN_CONFIGURATION, "other-configuration"),
    Defence("one spelling of evidence", ("evidence-in-other-spellings",), patches.one_spelling),
    Defence("no evidence, no request", ("evidence-withheld",), patches.failing_closed),
    Defence(
        "redirects are not followed",
        ("evidence-redirected", "answer-redirected"),
        patches.no_redirects,
    ),
    Defence("each try is sealed anew", ("stale-key-again-and-again",), patches.sealed_anew),
    Defence(
        "bounded reads",
        ("evidence-without-end", "answer-without-end"),
        patches.bounded_reads,
    ),
    Defence(
        "an answer ends with its final chunk",
        ("answer-cut-at-each-chunk", "answer-broken-off"),
        patches.the_end,
    ),
    Defence(
        "only chunks that open",
        (
            *("final-chunk-shortened", "bit-of-each-chunk", "chunks-swapped", "chunk-repeated"),
            *("chunk-left-out", "chunk-made-final", "bytes-after-the-answer"),
            *("tail-of-another-answer", "answer-to-another-request", "answer-made-up"),
            "captured-worker-hides-chunks",
        ),
        patches.authenticity,
    ),
    Defence(
        "a reply in the clear is no answer",
        ("plaintext-answer", "compressed-answer"),
        patches.media_type,
    ),
    Defence(
        "the receipt says how the room ended",
        ("captured-worker-lives-on", "captured-worker-ends-badly"),
        patches.receipt,
    ),
    Defence(
        "an encapsulation is answered once",
        ("replay", "replay-at-once", "replay-mended", "replay-after-restart"),
        programs={"keyholder": f"{HERE}.forgetful_keyholder"},
    ),
    Defence(
        "one word for all that does not open",
        ("error-oracle",),
        programs={"zygote": f"{HERE}.telling_zygote"},
    ),
    Defence(
        "tables of paths and media types, limits, and nothing is unpacked",
        ("media-type-confusion", "compressed-request", "other-path"),
        modules={"relay": f"{HERE}.lax_relay", "ingress": f"{HERE}.lax_ingress"},
    ),
    Defence(
        "our own relay",
        (
            *("request-smuggling", "foreign-targets", "endless-head", "client-told-on"),
            *("gateway-marks-clients", "relay-redirected", "relay-as-proxy"),
            "smuggling-through-the-relay",
        ),
        modules={"relay": f"{HERE}.naive_relay"},
    ),
    Defence(
        "fewer arriving requests than streams",
        ("one-byte-at-a-time",),
        programs={"gate": f"{HERE}.slow_gate"},
    ),
    Defence(
        "the digest of the model",
        ("model-changed",),
        programs={"zygote": f"{HERE}.trusting_zygote"},
    ),
    Defence(
        "a literal environment, and only known arguments",
        ("environment-around-init", "environment-in-arguments"),
        modules={"guest": f"{HERE}.open_guest"},
    ),
    Defence(
        "a closed configuration", ("environment-in-configuration",), patches.closed_configuration
    ),
    Defence(
        "a closed description of the platform",
        ("environment-in-platform-document",),
        patches.closed_platform,
    ),
    Defence(
        "the worker's system call filter",
        (
            *("escape-to-the-network", "escape-to-files", "escape-to-processes"),
            *("escape-to-privileges", "escape-to-the-kernel"),
        ),
        programs={"zygote": f"{HERE}.unfiltered_zygote"},
    ),
    Defence(
        "the table of the keyholder's doors",
        (
            *("captured-worker-asks-again", "captured-worker-counts-anew"),
            *("captured-worker-publishes-keys", "captured-gate-asks-for-a-secret"),
            "captured-gate-forges-a-birth",
        ),
        programs={"keyholder": f"{HERE}.credulous_keyholder"},
    ),
    Defence(
        "the zygote's doors",
        ("captured-gate-says-the-unlisted", "captured-gate-forks-twins"),
        programs={"zygote": f"{HERE}.patient_zygote"},
    ),
)

DEVICE_TOO = (
    "a guest that published such evidence would be refused by the device all the same, as "
    "snp-zero-report-data and snp-forged-report show without their rules"
)
REASONS: Mapping[str, str] = {
    "endorsements-of-another-platform": "no code could use Intel's collateral for AMD's report, "
    "so there is no single check to take away",
    "wrong-key": "the key is an input of HPKE's key schedule, not a check",
    "diversion": "the key is an input of HPKE's key schedule, not a check",
    "plaintext-downgrade": "there is no plaintext endpoint that a check keeps shut",
    "oversize-request": "the relay, the ingress and the gate each have the limit, and without all "
    "three the test would move gigabytes",
    "tsm-race": DEVICE_TOO,
    "tsm-lost-write": DEVICE_TOO,
    "tsm-cut-report": DEVICE_TOO,
    "tsm-other-provider": DEVICE_TOO,
    "tsm-always-busy": "without its bound the guest waits for ever, and so would the test",
}
