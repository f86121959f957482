# SPDX-License-Identifier: Apache-2.0
"""The policy that each item is judged by: the most permissive one for that very guest.

So a refusal is about the evidence and not about anybody's taste: a broken chain or signature, a
platform that Intel does not rate, a guest under debug, a migratable guest.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from attest.snp.certificate import parse_vek
from attest.snp.claims import Claims
from attest.snp.policy import SnpPolicy
from attest.snp.product import ProductLine
from attest.snp.report import parse_report
from attest.tdx.policy import TdAttribute, TdImage, TdxPolicy
from attest.tdx.quote import TdReport15, parse_quote
from attest.tdx.status import TcbStatus
from attest.x509 import common_name
from sealroom.policy_drafts import pinned_snp

# No status that real evidence has: a refusal for it tells the status that the evidence does have.
NO_STATUS = frozenset({TcbStatus.RELAUNCH_ADVISED_CONFIGURATION_NEEDED})
ANY_STATUS = frozenset(TcbStatus) - {TcbStatus.REVOKED}
_ADVISORY = re.compile(rb"INTEL-[A-Z]+-[0-9]+")


def snp_policy(report: bytes, vek: bytes) -> SnpPolicy:
    """What `sealroom policy init --from` pins: everything that the report claims.

    Raises:
        FormatError: one of the two is malformed.
    """
    certificate = parse_vek(vek)
    line = common_name(certificate.certificate.issuer).rpartition("-")[2]
    return pinned_snp(Claims(parse_report(report), certificate, ProductLine(line)))


def tdx_policy(quote: bytes, collateral: bytes, *, rated: bool = True) -> TdxPolicy:
    """What accepts the quote's guest, and with ``rated`` whatever Intel says but revoked.

    Raises:
        FormatError: the quote is malformed.
    """
    body = parse_quote(quote).body
    named = frozenset(advisory.decode("ascii") for advisory in _ADVISORY.findall(collateral))
    image = TdImage(
        mrtd=body.mrtd, rtmr0=body.rtmr0, rtmr1=body.rtmr1, rtmr2=body.rtmr2, rtmr3=body.rtmr3
    )
    return TdxPolicy(
        versions=frozenset({4, 5}),
        body_types=frozenset({2, 3}),
        trailing_bytes=True,
        ppids=None,
        statuses=ANY_STATUS if rated else NO_STATUS,
        advisories=named if rated else frozenset(),
        evaluation=0,
        tcb_date=datetime(2000, 1, 1, tzinfo=UTC),
        td_allows=frozenset(TdAttribute),
        td_requires=frozenset(),
        xfam=b"\xff" * 8,
        service_tds=frozenset({body.mrservicetd if isinstance(body, TdReport15) else bytes(48)}),
        devices=frozenset(),
        images=(image,),
        config_ids=frozenset({body.mrconfigid}),
        owners=frozenset({body.mrowner}),
        owner_configs=frozenset({body.mrownerconfig}),
        seam_modules=frozenset({body.mrseam}),
    )
