# SPDX-License-Identifier: Apache-2.0
"""Where TDX verifiers differ from us, and why."""

from __future__ import annotations

from attest import Reason
from tests.differential import words
from tests.differential.explained import Explanation, Right, Side
from tests.differential.peers import Peer

R = Reason
GO, DCAP = Peer.GO_TDX_GUEST, Peer.DCAP_QVL
WE, THEY, APART = Side.WE_REFUSE, Side.THEY_REFUSE, Side.RATED_APART
OURS, OPEN = Right.OURS, Right.OPEN

GO_ROWS = (
    Explanation(
        id="go-tdx/platform-dropped",
        peer=GO,
        side=WE,
        statuses=frozenset(
            {
                "OutOfDate",
                "SWHardeningNeeded",
                "ConfigurationNeeded",
                "ConfigurationAndSWHardeningNeeded",
                "OutOfDateConfigurationNeeded",
            }
        ),
        what="Where SVN[1] is above 0 it returns the module's rating in place of the platform's, "
        "so an out-of-date platform with a current module passes.",
        words=words.COMPONENTS,
        right=OURS,
    ),
    Explanation(
        id="go-tdx/platform-revoked",
        peer=GO,
        side=WE,
        reasons=frozenset({R.TCB_STATUS_NOT_ACCEPTED}),
        what="For the same reason a Revoked platform with a current module passes.",
        words=words.REVOKED,
        right=OURS,
    ),
    Explanation(
        id="go-tdx/relaunch",
        peer=GO,
        side=WE,
        statuses=frozenset({"TDRelaunchAdvised"}),
        what="TEE_TCB_SVN2 is not evaluated, and a platform that was out of date at launch is "
        "dropped as above, so a TD that should be launched again passes.",
        words=words.RELAUNCH,
        right=OURS,
    ),
    Explanation(
        id="go-tdx/debug-v5",
        peer=GO,
        side=WE,
        reasons=frozenset({R.TD_DEBUG}),
        what="Its `validate` does not take version 5, and `verify` does not look at ATTRIBUTES: a "
        "TD under debug passes.",
        words=words.TD_DEBUG,
        right=OURS,
    ),
    Explanation(
        id="go-tdx/attributes-v5",
        peer=GO,
        side=WE,
        reasons=frozenset({R.TD_ATTRIBUTES_UNKNOWN}),
        what="For the same reason unknown bits of ATTRIBUTES pass in version 5.",
        words=words.ATTRIBUTES,
        right=OURS,
    ),
    Explanation(
        id="go-tdx/migratable",
        peer=GO,
        side=THEY,
        text=r"tdAttributesFixed0 0x[0-9a-f]+ bits are set",
        what="In version 4 bits of ATTRIBUTES outside a fixed mask are refused, MIGRATABLE among "
        "them; with us a policy decides on those that have a name.",
        words=words.MIGRATABLE,
        right=OPEN,
    ),
    Explanation(
        id="go-tdx/issue-date",
        peer=GO,
        side=WE,
        reasons=frozenset({R.COLLATERAL_NOT_YET_ISSUED}),
        what="issueDate is not looked at, so documents from the future pass.",
        words=words.WINDOW,
        right=OURS,
    ),
    Explanation(
        id="go-tdx/next-update",
        peer=GO,
        side=WE,
        reasons=frozenset({R.COLLATERAL_EXPIRED}),
        what="A document is in force at nextUpdate itself; ours ends when that second begins.",
        words=words.WINDOW,
        right=OPEN,
    ),
    Explanation(
        id="go-tdx/crl-dates",
        peer=GO,
        side=WE,
        reasons=frozenset({R.CRL_STALE}),
        what="thisUpdate of a CRL is not looked at, and a list is in force at nextUpdate itself.",
        words=words.CRL_CURRENT,
        right=OURS,
    ),
    Explanation(
        id="go-tdx/crl-chain",
        peer=GO,
        side=WE,
        reasons=frozenset({R.PCK_CRL_ISSUER, R.COLLATERAL_ROOT}),
        what="The chain that came with the PCK CRL is parsed and not used: the list is held "
        "against the CA in the quote. We hold it against both.",
        words=words.SERVED,
        right=OPEN,
    ),
    Explanation(
        id="go-tdx/body-4",
        peer=GO,
        side=THEY,
        text=r"unsupported TD quote body type , got 4",
        what="Body type 4 is unknown to it.",
        words=words.BODY_4,
        right=OURS,
    ),
    Explanation(
        id="go-tdx/xfam",
        peer=GO,
        side=THEY,
        text=r"xfamFixed0 0x[0-9a-f]+ bits are set",
        what="XFAM bits outside a fixed mask are refused; with us a policy lists them, here all.",
        words=words.ATTRIBUTES,
        right=OPEN,
    ),
)
DCAP_ROWS = (
    Explanation(
        id="dcap-qvl/sept-ve-disable",
        peer=DCAP,
        side=THEY,
        text=r"SEPT_VE_DISABLE is not enabled",
        what="A TD without SEPT_VE_DISABLE is always refused; with us a policy decides, and the "
        "one that `sealroom policy init` writes demands it.",
        words=words.SEPT_VE,
        right=OPEN,
    ),
    Explanation(
        id="dcap-qvl/migratable",
        peer=DCAP,
        side=THEY,
        text=r"TD migration is enabled",
        what="A TD that may be migrated is always refused; with us a policy decides.",
        words=words.MIGRATABLE,
        right=OPEN,
    ),
    Explanation(
        id="dcap-qvl/next-update",
        peer=DCAP,
        side=WE,
        reasons=frozenset({R.COLLATERAL_EXPIRED}),
        what="A document is in force at nextUpdate itself; ours ends when that second begins.",
        words=words.WINDOW,
        right=OPEN,
    ),
    Explanation(
        id="dcap-qvl/collateral-roots",
        peer=DCAP,
        side=WE,
        reasons=frozenset({R.COLLATERAL_ROOT, R.MALFORMED_COLLATERAL}),
        only=r"_issuer_chain|: other-collateral-root",
        what="Roots in the collateral's chains are not looked at: paths are built to its own root.",
        words=words.ANCHOR,
        right=OPEN,
    ),
    Explanation(
        id="dcap-qvl/crl-chain",
        peer=DCAP,
        side=WE,
        reasons=frozenset({R.PCK_CRL_ISSUER}),
        what="The chain that came with the PCK CRL is not used: the list is held against the CA in "
        "the quote. We hold it against both.",
        words=words.SERVED,
        right=OPEN,
    ),
    Explanation(
        id="dcap-qvl/quote-root",
        peer=DCAP,
        side=WE,
        reasons=frozenset({R.UNKNOWN_ISSUER}),
        only=r"bit of PEM byte|: other-root$",
        what="The last certificate in the quote is not looked at: paths are built to its own root.",
        words=words.ANCHOR,
        right=OPEN,
    ),
    Explanation(
        id="dcap-qvl/frame",
        peer=DCAP,
        side=WE,
        reasons=frozenset({R.MALFORMED_QUOTE, R.UNSUPPORTED_CERTIFICATION}),
        only=r"bit of (outer type|inner size|signature data's size)",
        what="The type of the outer certification data is not looked at, and lengths need not fill "
        "their space.",
        words=words.FRAME,
        right=OURS,
    ),
    Explanation(
        id="dcap-qvl/pceid",
        peer=DCAP,
        side=WE,
        reasons=frozenset({R.PCEID_MISMATCH}),
        what="TCB information for another PCEID passes.",
        words=words.PCEID,
        right=OURS,
    ),
)
TDX_ROWS: tuple[Explanation, ...] = (*GO_ROWS, *DCAP_ROWS)
