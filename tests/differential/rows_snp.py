# SPDX-License-Identifier: Apache-2.0
"""Where SEV-SNP verifiers differ from us, and why."""

from __future__ import annotations

from attest import Reason
from tests.differential import words
from tests.differential.explained import Explanation, Right, Side, Words
from tests.differential.peers import Peer

R = Reason
GO, SEV, SNPGUEST = Peer.GO_SEV_GUEST, Peer.SEV, Peer.SNPGUEST
WE, THEY = Side.WE_REFUSE, Side.THEY_REFUSE
OURS, OPEN = Right.OURS, Right.OPEN

GO_ROWS = (
    Explanation(
        id="go-sev/turin",
        peer=GO,
        side=THEY,
        text=r"not an AMD KDS OID: 1\.3\.6\.1\.4\.1\.3704\.1\.3\.9",
        what="Every Turin certificate is refused for its fmcSPL extension.",
        words=words.TURIN,
        right=OURS,
    ),
    Explanation(
        id="go-sev/vlek-without-asvk",
        peer=GO,
        side=THEY,
        text=r"root of trust missing intermediate certificate authority certificate for key VLEK",
        what="Its embedded roots hold no ASVK, so under them no VLEK is verified, AWS's real one "
        "included.",
        words=words.VLEK,
        right=OURS,
    ),
    Explanation(
        id="go-sev/models",
        peer=GO,
        side=THEY,
        text=r"could not be verified by any trusted roots\. Last error: <nil>",
        what="It knows one model of each line (01h, 11h, 02h) and finds no roots for others, such "
        "as Bergamo's and Siena's A0h.",
        words=words.PROCESSOR,
        right=OURS,
    ),
    Explanation(
        id="go-sev/host-report",
        peer=GO,
        side=WE,
        reasons=frozenset({R.HOST_REPORT, R.VMPL_NOT_ACCEPTED}),
        what="A report that the host asked for, or with a VMPL above 3, passes unless the caller "
        "names a VMPL.",
        words=words.VMPL,
        right=OURS,
    ),
    Explanation(
        id="go-sev/chip-key",
        peer=GO,
        side=WE,
        reasons=frozenset({R.CHIP_KEY_MASKED}),
        what="MASK_CHIP_KEY together with a VCEK's signature passes.",
        words=words.CHIP_KEY,
        right=OURS,
    ),
    Explanation(
        id="go-sev/crl-stale",
        peer=GO,
        side=WE,
        reasons=frozenset({R.CRL_STALE}),
        what="A CRL that was fetched is used whatever its dates.",
        words=words.CRL_CURRENT,
        right=OURS,
    ),
    Explanation(
        id="go-sev/length",
        peer=GO,
        side=WE,
        reasons=frozenset({R.MALFORMED_REPORT}),
        what="What follows the 1184 bytes of a report is not looked at.",
        words=words.LENGTH,
        right=OPEN,
    ),
    Explanation(
        id="go-sev/migration-agent",
        peer=GO,
        side=WE,
        reasons=frozenset({R.MIGRATION_AGENT}),
        what="A report that names a migration agent passes where its policy allows none, unless "
        "the caller names a REPORT_ID_MA.",
        words=words.MIGRATION,
        right=OURS,
    ),
    Explanation(
        id="go-sev/order",
        peer=GO,
        side=WE,
        reasons=frozenset({R.TCB_ORDER}),
        what="A launch TCB above the current one passes, and a reported one above the committed.",
        words=words.COMMITTED,
        right=OURS,
    ),
    Explanation(
        id="go-sev/tcb-reserved",
        peer=GO,
        side=WE,
        reasons=frozenset({R.TCB_RESERVED}),
        what="Reserved bytes of a TCB_VERSION may hold anything.",
        words=words.TCB_LAYOUT,
        right=OURS,
    ),
    Explanation(
        id="go-sev/product-name",
        peer=GO,
        side=WE,
        reasons=frozenset({R.VEK_PRODUCT_MISMATCH}),
        what="From version 3 on productName is not held against the report's processor.",
        words=words.PRODUCT_NAME,
        right=OURS,
    ),
)

_PASSES: tuple[tuple[str, frozenset[Reason], str, Words, Right, str], ...] = (
    (
        "validity",
        frozenset({R.EXPIRED, R.NOT_YET_VALID}),
        "It has no clock: validity is not looked at.",
        words.VALIDITY,
        OURS,
        "",
    ),
    (
        "crl",
        frozenset({R.CRL_SIGNATURE, R.CRL_STALE, R.MALFORMED_CRL, R.REVOKED}),
        "It takes no CRL, so a revoked ASK passes, and a CRL that is no good is not seen.",
        words.CRL_USE,
        OURS,
        "",
    ),
    (
        "key",
        frozenset({R.SIGNING_KEY_MISMATCH, R.CHIP_KEY_MASKED}),
        "SIGNING_KEY and MASK_CHIP_KEY are not looked at: another key's certificate passes, and "
        "so does a report that says it has no signature.",
        words.SIGNING_KEY,
        OURS,
        "",
    ),
    (
        "policy",
        frozenset({R.GUEST_POLICY_RESERVED}),
        "Reserved bits of the guest's policy are not looked at.",
        words.POLICY,
        OURS,
        "",
    ),
    (
        "debug",
        frozenset({R.DEBUG_ALLOWED}),
        "A guest whose policy allows debugging passes: the caller has to look.",
        words.DEBUG,
        OPEN,
        "",
    ),
    (
        "migration",
        frozenset({R.MIGRATION_ALLOWED, R.MIGRATION_AGENT}),
        "Migration is not looked at.",
        words.MIGRATION,
        OPEN,
        "",
    ),
    (
        "vmpl",
        frozenset({R.HOST_REPORT, R.VMPL_NOT_ACCEPTED}),
        "VMPL is not looked at: a report that the host asked for passes.",
        words.VMPL,
        OURS,
        "",
    ),
    (
        "order",
        frozenset({R.TCB_ORDER}),
        "Versions are not held against each other.",
        words.COMMITTED,
        OURS,
        "",
    ),
    (
        "product",
        frozenset({R.PRODUCT_MISMATCH, R.VEK_PRODUCT_MISMATCH}),
        "The report's processor and productName are not held against the chain.",
        words.PRODUCT_NAME,
        OURS,
        "",
    ),
    (
        "flags",
        frozenset({R.MALFORMED_REPORT}),
        "SIGNATURE_ALGO is not looked at, and reserved flags may be set.",
        words.ALGORITHM,
        OURS,
        r"^(a reserved flag|algorithm 0)$|: no-signature-algorithm$",
    ),
    (
        "version",
        frozenset({R.UNSUPPORTED_REPORT_VERSION}),
        "A version above 5 is read as version 5.",
        words.VERSION,
        OURS,
        "",
    ),
    (
        "re-encoded",
        frozenset({R.REPORT_SIGNATURE}),
        "The signature is checked over a report that was written again from what was parsed, in "
        "which reserved bytes of a TCB_VERSION are zero: a changed signed byte passes.",
        words.SIGNED,
        OURS,
        r"bit of (current|reported|committed|launch)_tcb$",
    ),
)
MASKED = tuple(
    Explanation(
        id=f"{peer}/masked",
        peer=peer,
        side=THEY,
        text=r"MASK_CHIP_ID is enabled",
        what="A version 2 report that hides its chip is refused, because CHIP_ID is what they tell "
        "the product by. We take that from the certificate's issuer, and a policy decides on "
        "hidden chips.",
        words=words.MASKED_CHIP,
        right=OPEN,
    )
    for peer in (SEV, SNPGUEST)
)
PASSES = tuple(
    Explanation(
        id=f"{peer}/{name}",
        peer=peer,
        side=WE,
        reasons=reasons,
        only=only,
        what=what,
        words=says,
        right=right,
    )
    for peer in (SEV, SNPGUEST)
    for name, reasons, what, says, right, only in _PASSES
)
SEV_ROWS = (
    Explanation(
        id="sev/tcb",
        peer=SEV,
        side=WE,
        reasons=frozenset({R.TCB_MISMATCH}),
        what="The certificate's TCB is not held against REPORTED_TCB.",
        words=words.REPORTED_TCB,
        right=OURS,
    ),
    Explanation(
        id="sev/chip",
        peer=SEV,
        side=WE,
        reasons=frozenset({R.CHIP_ID_MISMATCH}),
        what="hwID is not held against CHIP_ID.",
        words=words.CHIP_ID,
        right=OURS,
    ),
    Explanation(
        id="sev/venice",
        peer=SEV,
        side=WE,
        reasons=frozenset({R.UNSUPPORTED_PRODUCT}),
        what="A report that says it comes from a Venice processor is read with Turin's TCB layout, "
        "and passes under Turin's chain.",
        words=words.PROCESSOR,
        right=OURS,
    ),
    Explanation(
        id="sev/unsigned",
        peer=SEV,
        side=WE,
        reasons=frozenset({R.MALFORMED_REPORT}),
        only=r"bit of reserved 0x(2d0|318)$",
        what="Reserved bytes after the signature may hold anything.",
        words=words.LENGTH,
        right=OPEN,
    ),
    Explanation(
        id="sev/outer-algorithm",
        peer=SEV,
        side=WE,
        reasons=frozenset({R.MALFORMED_VEK}),
        only=r"bit of VEK byte",
        what="The signature algorithm that a certificate names outside its signed part may differ "
        "from the one inside in its parameters.",
        words=words.OUTER_ALGORITHM,
        right=OURS,
    ),
    Explanation(
        id="snpguest/trailing",
        peer=SNPGUEST,
        side=WE,
        reasons=frozenset({R.MALFORMED_VEK}),
        only=r"VEK one byte long$|: malformed-vek",
        what="What follows a certificate in its file is not looked at.",
        words=words.DER,
        right=OPEN,
    ),
    Explanation(
        id="snpguest/chip",
        peer=SNPGUEST,
        side=WE,
        reasons=frozenset({R.CHIP_ID_MISMATCH}),
        what="Its check of hwID against CHIP_ID is never reached: it takes the name SEV-VCEK "
        "for an ASK's.",
        words=words.CHIP_ID,
        right=OURS,
    ),
)
SNP_ROWS: tuple[Explanation, ...] = (*GO_ROWS, *SEV_ROWS, *MASKED, *PASSES)
