# SPDX-License-Identifier: Apache-2.0
"""Why evidence is refused: stages, reasons, findings, and the table form of a rule.

`Reason` is public API: a value is never renamed and never used for a second meaning. A rule is one
row of data with one reason; `apply` is the only machinery. Stages end at the first that fails, for
a later one has no meaning without the former; within a stage every failure is collected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Any, Generic, NamedTuple, TypeVar

from attest.errors import AttestError


class Stage(StrEnum):
    """The steps of a verification, in the order in which they are taken."""

    FORMAT = "format"
    CHAIN = "chain"
    SIGNATURE = "signature"
    RULES = "rules"
    LOG = "log"
    BINDING = "binding"
    STATEMENT = "statement"


class Reason(StrEnum):
    """What exactly does not hold; S1 to S18, T1 to T15 and L1 to L6: SEV-SNP, TDX, log."""

    # Format
    UNSUPPORTED_PLATFORM = "unsupported-platform"  # T1
    ENDORSEMENTS_MISMATCH = "endorsements-of-another-platform"
    MALFORMED_STATEMENT = "malformed-statement"
    MALFORMED_REPORT = "malformed-report"  # S1
    UNSUPPORTED_REPORT_VERSION = "unsupported-report-version"  # S1
    UNSUPPORTED_PRODUCT = "unsupported-product"  # S3
    MALFORMED_VEK = "malformed-vek-certificate"  # S4
    MALFORMED_CRL = "malformed-crl"  # S7
    MALFORMED_QUOTE = "malformed-quote"  # T1, T2
    UNSUPPORTED_QUOTE_VERSION = "unsupported-quote-version"  # T1
    UNSUPPORTED_KEY_TYPE = "unsupported-attestation-key-type"  # T1
    UNSUPPORTED_BODY_TYPE = "unsupported-body-type"  # T2
    UNSUPPORTED_CERTIFICATION = "unsupported-certification-data"  # T2
    TRAILING_BYTES = "trailing-bytes"  # T2
    MALFORMED_PCK_CHAIN = "malformed-pck-chain"  # T2, T3
    MALFORMED_COLLATERAL = "malformed-collateral"  # T5
    UNSUPPORTED_COLLATERAL = "unsupported-collateral"  # T5

    # Chain
    UNKNOWN_ISSUER = "unknown-issuer"  # S5, T2
    VEK_SIGNATURE = "vek-signature-invalid"  # S5
    NOT_YET_VALID = "certificate-not-yet-valid"  # S6, T3
    EXPIRED = "certificate-expired"  # S6, T3
    CRL_REQUIRED = "crl-required"  # S7
    CRL_SIGNATURE = "crl-signature-invalid"  # S7
    CRL_STALE = "crl-stale"  # S7, T4
    REVOKED = "certificate-revoked"  # S7, T4

    PCK_CA_SIGNATURE = "pck-ca-signature-invalid"  # T3
    PCK_SIGNATURE = "pck-signature-invalid"  # T3
    ROOT_CRL_SIGNATURE = "root-crl-signature-invalid"  # T4
    PCK_CRL_ISSUER = "pck-crl-of-another-issuer"  # T4
    PCK_CRL_SIGNATURE = "pck-crl-signature-invalid"  # T4
    COLLATERAL_ROOT = "collateral-of-another-root"  # T5
    COLLATERAL_SIGNER = "collateral-signer-untrusted"  # T5
    TCB_INFO_SIGNATURE = "tcb-info-signature-invalid"  # T5
    QE_IDENTITY_SIGNATURE = "qe-identity-signature-invalid"  # T5
    COLLATERAL_NOT_YET_ISSUED = "collateral-not-yet-issued"  # T5
    COLLATERAL_EXPIRED = "collateral-expired"  # T5
    FMSPC_MISMATCH = "fmspc-mismatch"  # T6
    PCEID_MISMATCH = "pceid-mismatch"  # T6

    # Signature
    REPORT_SIGNATURE = "report-signature-invalid"  # S8
    QE_REPORT_SIGNATURE = "qe-report-signature-invalid"  # T7
    ATTESTATION_KEY_UNBOUND = "attestation-key-not-bound"  # T7
    ATTESTATION_KEY_INVALID = "attestation-key-invalid"  # T8
    QUOTE_SIGNATURE = "quote-signature-invalid"  # T8
    QUOTE_REQUIRED = "quote-required"  # A2

    # Rules
    REPORT_VERSION_NOT_ACCEPTED = "report-version-not-accepted"  # S1
    SIGNING_KEY_MISMATCH = "signing-key-mismatch"  # S2
    SIGNING_KEY_NOT_ACCEPTED = "signing-key-not-accepted"  # S2
    CHIP_KEY_MASKED = "chip-key-masked"  # S2
    PRODUCT_MISMATCH = "product-mismatch"  # S3
    VEK_PRODUCT_MISMATCH = "vek-product-mismatch"  # S3
    PRODUCT_NOT_ACCEPTED = "product-not-accepted"  # S3
    TCB_MISMATCH = "tcb-mismatch"  # S9
    TCB_RESERVED = "tcb-reserved-bytes"  # S9
    CHIP_ID_MASKED = "chip-id-masked"  # S10
    CHIP_ID_MISMATCH = "chip-id-mismatch"  # S10
    CHIP_NOT_LISTED = "chip-not-listed"  # S10
    UNKNOWN_CSP = "unknown-cloud-provider"  # S10
    TCB_ORDER = "tcb-order"  # S11
    REPORTED_TCB_TOO_OLD = "reported-tcb-too-old"  # S11
    COMMITTED_TCB_TOO_OLD = "committed-tcb-too-old"  # S11
    LAUNCH_TCB_TOO_OLD = "launch-tcb-too-old"  # S11
    GUEST_POLICY_RESERVED = "guest-policy-reserved-bits"  # S12
    DEBUG_ALLOWED = "debug-allowed"  # S12
    MIGRATION_ALLOWED = "migration-allowed"  # S12
    MIGRATION_AGENT = "migration-agent-bound"  # S12
    ABI_TOO_OLD = "abi-too-old"  # S12
    GUEST_ALLOWS_TOO_MUCH = "guest-policy-allows-too-much"  # S12
    GUEST_REQUIRES_TOO_LITTLE = "guest-policy-requires-too-little"  # S12
    HOST_REPORT = "report-made-by-host"  # S13
    VMPL_NOT_ACCEPTED = "vmpl-not-accepted"  # S13
    PLATFORM_LACKS = "platform-lacks"  # S14
    PLATFORM_FORBIDDEN = "platform-forbidden"  # S14
    MITIGATION_MISSING = "mitigation-missing"  # S15
    FIRMWARE_TOO_OLD = "firmware-too-old"  # S16
    UNKNOWN_MEASUREMENT = "unknown-measurement"  # S17, T14
    UNKNOWN_HOST_DATA = "unknown-host-data"  # S17
    GUEST_SVN_TOO_OLD = "guest-svn-too-old"  # S17
    UNKNOWN_FAMILY = "unknown-family-id"  # S17
    UNKNOWN_IMAGE = "unknown-image-id"  # S17
    UNTRUSTED_ID_KEY = "untrusted-id-key"  # S17
    UNTRUSTED_AUTHOR_KEY = "untrusted-author-key"  # S17

    QUOTE_VERSION_NOT_ACCEPTED = "quote-version-not-accepted"  # T1
    BODY_TYPE_NOT_ACCEPTED = "body-type-not-accepted"  # T2
    PLATFORM_NOT_LISTED = "platform-not-listed"  # T6
    QE_MISCSELECT = "qe-miscselect-mismatch"  # T7
    QE_ATTRIBUTES = "qe-attributes-mismatch"  # T7
    QE_SIGNER = "qe-signer-mismatch"  # T7
    QE_PRODUCT = "qe-product-mismatch"  # T7
    QE_NOT_SUPPORTED = "qe-not-supported"  # T7
    UNKNOWN_MODULE = "unknown-tdx-module"  # T9
    MODULE_SIGNER = "tdx-module-signer-mismatch"  # T9
    SEAM_ATTRIBUTES = "seam-attributes"  # T9
    MODULE_NOT_SUPPORTED = "tdx-module-not-supported"  # T10
    TCB_NOT_SUPPORTED = "tcb-not-supported"  # T10
    TCB_STATUS_NOT_ACCEPTED = "tcb-status-not-accepted"  # T11
    ADVISORY_NOT_ACCEPTED = "advisory-not-accepted"  # T11
    EVALUATION_TOO_OLD = "tcb-evaluation-too-old"  # T11
    TCB_DATE_TOO_OLD = "tcb-date-too-old"  # T11
    TD_DEBUG = "td-debug"  # T12
    TD_ATTRIBUTES_UNKNOWN = "td-attributes-unknown"  # T12
    TD_ALLOWS_TOO_MUCH = "td-attributes-allow-too-much"  # T12
    TD_REQUIRES_TOO_LITTLE = "td-attributes-require-too-little"  # T12
    XFAM_NOT_ACCEPTED = "xfam-not-accepted"  # T12
    UNKNOWN_SERVICE_TD = "unknown-service-td"  # T13
    UNKNOWN_DEVICES = "unknown-devices"  # T13
    UNKNOWN_RTMRS = "unknown-rtmrs"  # T14
    UNKNOWN_CONFIG_ID = "unknown-config-id"  # T14
    UNKNOWN_OWNER = "unknown-owner"  # T14
    UNKNOWN_OWNER_CONFIG = "unknown-owner-config"  # T14
    UNKNOWN_SEAM_MODULE = "unknown-seam-module"  # T14

    # Log
    MALFORMED_LOG_PROOF = "malformed-log-proof"
    UNKNOWN_LOG = "unknown-log"  # L1
    LOG_SIGNATURE = "log-signature-missing"  # L2
    COSIGNATURE = "log-cosignature-invalid"  # L3
    WITNESS_QUORUM = "witness-quorum-missing"  # L4
    COSIGNATURE_NOT_YET = "log-cosignature-not-yet-valid"  # L5
    NOT_LOGGED = "not-in-the-log"  # L6

    # Binding
    REPORT_DATA_MISMATCH = "report-data-mismatch"  # S18, T15, A1
    QUOTE_OF_ANOTHER_REPORT = "quote-of-another-report"  # A2
    PLATFORM_MISMATCH = "platform-mismatch"

    # Statement
    WRONG_PRODUCT = "wrong-product"
    VARIANT_NOT_ACCEPTED = "variant-not-accepted"
    STATEMENT_NOT_YET_VALID = "statement-not-yet-valid"
    STATEMENT_EXPIRED = "statement-expired"
    STATEMENT_LIFE_TOO_LONG = "statement-life-too-long"
    UNKNOWN_MODEL = "unknown-model"
    UNKNOWN_PROMPTS = "unknown-prompts"
    UNKNOWN_CONFIGURATION = "unknown-configuration"
    LACKING_NOT_ACCEPTED = "lacking-not-accepted"


class Finding(NamedTuple):
    """One thing that does not hold: what was wanted and what came."""

    reason: Reason
    wanted: str
    got: str


class Refused(AttestError):
    """The evidence is not acceptable. Carries every finding of the stage that failed."""

    def __init__(self, stage: Stage, findings: Iterable[Finding]) -> None:
        self.stage = stage
        self.findings = tuple(findings)
        if not self.findings:
            raise ValueError("a refusal needs at least one finding")
        lines = (f"{f.reason}: wanted {f.wanted}, got {f.got}" for f in self.findings)
        super().__init__(f"{stage}: " + "; ".join(lines))


class Check(NamedTuple):
    """One rule that held, and the value it held for."""

    rule: str
    reason: Reason
    got: str


P = TypeVar("P")
C = TypeVar("C")


class Rule(NamedTuple, Generic[P, C]):
    """One row: holds for a policy and the claims, or gives its reason.

    Attributes:
        number: the checklist's number, such as "S12".
        reason: what it means when the rule does not hold.
        holds: the predicate.
        wanted: what the policy asks, for people.
        got: what the evidence claims, for people.
    """

    number: str
    reason: Reason
    holds: Callable[[P, C], bool]
    wanted: Callable[[P, C], str]
    got: Callable[[C], str]


class Outcome(NamedTuple):
    """What a table of rules came to.

    Attributes:
        held: the rules that held.
        claims: what they held for.
        findings: what did not hold.
    """

    held: tuple[Rule[Any, Any], ...]
    claims: Any
    findings: tuple[Finding, ...]

    @property
    def checks(self) -> Iterator[Check]:
        """The rules that held with their values, put into words when somebody asks."""
        for rule in self.held:
            yield Check(rule.number, rule.reason, rule.got(self.claims))


def apply(rules: tuple[Rule[P, C], ...], policy: P, claims: C) -> Outcome:
    """Hold the claims against every rule of a table."""
    failed = [rule for rule in rules if not rule.holds(policy, claims)]
    if not failed:
        return Outcome(rules, claims, ())
    findings = (Finding(x.reason, x.wanted(policy, claims), x.got(claims)) for x in failed)
    return Outcome(tuple(rule for rule in rules if rule not in failed), claims, tuple(findings))


def conclude(stage: Stage, *outcomes: Outcome) -> tuple[Outcome, ...]:
    """End a stage: the outcomes, in which everything held.

    Raises:
        Refused: something did not hold; all that did not is in it.
    """
    findings = [finding for outcome in outcomes for finding in outcome.findings]
    if findings:
        raise Refused(stage, findings)
    return outcomes


def any_hex(values: frozenset[bytes]) -> str:
    """An allow-list of byte strings, for people."""
    return " or ".join(sorted(value.hex() for value in values))


def words(values: frozenset[str]) -> str:
    """A set of words, for people."""
    return ", ".join(sorted(values)) or "nothing"
