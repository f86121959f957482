# SPDX-License-Identifier: Apache-2.0
"""Which endorsements go with a report: a choice between the host's and the operator's, no I/O.

Both are untrusted and neither is verified here: clients do that, at their own time, under their own
roots. What is asked is only whether a certificate or collateral is about this report, so that a
guest with nothing fitting says so itself instead of publishing what every client must refuse.
What is stapled, and what is out of date, is in ADR 0013.
"""

from __future__ import annotations

from collections.abc import Iterator

from attest.endorsements import Endorsements, SnpEndorsements, TdxEndorsements
from attest.errors import FormatError
from attest.snp.certificate import Vek, parse_vek
from attest.snp.certtable import parse_certificate_table, vek_for
from attest.snp.claims import KEY_NAMES
from attest.snp.report import ReportV2, parse_report
from attest.statement import Platform
from attest.tdx.certificate import parse_pck_chain
from attest.tdx.collateral import parse_collateral
from attest.tdx.quote import parse_quote
from attest.x509 import parse_crl


class UnendorsedError(Exception):
    """Nothing that is at hand endorses this report."""


def choose_endorsements(
    platform: Platform, report: bytes, auxblob: bytes, bundle: Endorsements | None
) -> Endorsements:
    """What to staple to ``report``.

    Args:
        platform: that made the report.
        report: SEV-SNP report or TDX quote.
        auxblob: the host's certificate table (SEV-SNP), or nothing.
        bundle: the operator's, or None.

    Raises:
        UnendorsedError: neither has what this report needs.
        FormatError: the report, the table or the bundle's content is malformed.
    """
    if platform is Platform.TDX:
        return _tdx(report, bundle)
    return _snp(report, auxblob, bundle)


def _snp(report: bytes, auxblob: bytes, bundle: Endorsements | None) -> SnpEndorsements:
    """The first VEK that is the report's, the host's before the operator's; the operator's CRL."""
    if isinstance(bundle, TdxEndorsements):
        raise UnendorsedError("the operator's bundle is for TDX")
    crl = None if bundle is None else bundle.crl
    if crl is not None:
        parse_crl(crl)
    claims = parse_report(report)
    for der, vek in _candidates(report, auxblob, bundle):
        if _is_of(vek, claims):
            return SnpEndorsements(vek=der, crl=crl)
    raise UnendorsedError("no certificate of the key that signed the report is at hand")


def _candidates(
    report: bytes, auxblob: bytes, bundle: SnpEndorsements | None
) -> Iterator[tuple[bytes, Vek]]:
    """The host's certificate, which is only a hint and may be no VEK at all; the operator's."""
    hinted = vek_for(report, parse_certificate_table(auxblob))
    if hinted is not None:
        try:
            vek = parse_vek(hinted)
        except FormatError:
            vek = None
        if vek is not None:
            yield hinted, vek
    if bundle is not None:
        yield bundle.vek, parse_vek(bundle.vek)


def _is_of(vek: Vek, report: ReportV2) -> bool:
    """Whether the report names this key: its kind, its TCB and, if it names one, its chip."""
    if (vek.kind, vek.tcb) != (KEY_NAMES.get(report.signing_key), report.reported_tcb):
        return False
    if vek.hwid is None or report.chip_id_masked:
        return True
    return vek.hwid.ljust(len(report.chip_id), b"\x00") == report.chip_id


def _tdx(quote: bytes, bundle: Endorsements | None) -> TdxEndorsements:
    """The operator's collateral, if it is about the platform that the quote names."""
    if not isinstance(bundle, TdxEndorsements):
        raise UnendorsedError("the operator gave no collateral for TDX")
    pck = parse_pck_chain(parse_quote(quote).pck_chain).pck
    tcb_info = parse_collateral(bundle.collateral).tcb_info
    if (tcb_info.fmspc, tcb_info.pce_id) != (pck.fmspc, pck.pce_id):
        raise UnendorsedError(
            f"collateral is for FMSPC {tcb_info.fmspc.hex()}, the platform has {pck.fmspc.hex()}"
        )
    return bundle
