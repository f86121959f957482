# SPDX-License-Identifier: Apache-2.0
"""Our own verdict on an item, under the widest policy that there is for it.

A peer leaves its caller's wishes open as well, so what is compared is what each demands by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from attest import Reason, Refused, SnpEndorsements
from attest.errors import FormatError, UnsupportedError
from attest.roots import intel_roots
from attest.snp.certificate import parse_vek
from attest.snp.key_kind import KeyKind
from attest.snp.policy import AbiFloor, FirmwareFloor, Permission, ProductPolicy, SnpPolicy
from attest.snp.product import ProductLine
from attest.snp.report import ReportV2, parse_report
from attest.snp.verify import verify_report
from attest.tdx.policy import TdAttribute, TdImage, TdxPolicy
from attest.tdx.quote import TdReport10, TdReport15, TdReport15Ex, parse_quote
from attest.tdx.status import TcbStatus
from attest.tdx.verify import verify_quote
from tests.attest.snp.evidence import NO_FLOOR
from tests.differential.items import Item, SnpItem, TdxItem

ADVISORIES = frozenset(f"INTEL-SA-{number:05d}" for number in range(2000))
ZEROS = bytes(48)


@dataclass(frozen=True)
class Verdict:
    """What somebody made of an item.

    Attributes:
        accepted: whether it may be believed.
        status: the rating of a TDX platform, where there is one.
        reasons: of our own refusal.
        text: of a refusal.
    """

    accepted: bool
    status: str = ""
    reasons: frozenset[Reason] = frozenset()
    text: str = ""


def verdict(item: Item) -> Verdict:
    """What we make of an item."""
    try:
        status = _snp(item) if isinstance(item, SnpItem) else _tdx(item)
    except Refused as refused:
        reasons = frozenset(finding.reason for finding in refused.findings)
        return Verdict(False, reasons=reasons, text=str(refused))
    return Verdict(True, status)


def _snp(item: SnpItem) -> str:
    verify_report(
        item.report,
        SnpEndorsements(vek=item.vek, crl=item.crl),
        _snp_policy(item),
        roots=item.believed,
        now=item.now,
    )
    return ""


def _snp_policy(item: SnpItem) -> SnpPolicy:
    try:
        report = parse_report(item.report)
    except (FormatError, UnsupportedError):
        report = None
    try:
        csp_id = parse_vek(item.vek).csp_id
    except FormatError:
        csp_id = None
    firmware = FirmwareFloor(major=0, minor=0, build=0)
    return SnpPolicy(
        versions=frozenset({2, 3, 4, 5}),
        keys=frozenset(KeyKind),
        csp_ids=frozenset({csp_id or "any cloud"}),
        masked_chip_id=True,
        chips=None,
        require_crl=False,
        products=tuple(
            ProductPolicy(
                line=line,
                reported_tcb=NO_FLOOR,
                committed_tcb=NO_FLOOR,
                launch_tcb=NO_FLOOR,
                firmware=firmware,
                mitigations=0,
            )
            for line in ProductLine
        ),
        vmpls=frozenset({0, 1, 2, 3}),
        abi=AbiFloor(major=0, minor=0),
        guest_allows=frozenset(Permission),
        guest_requires=frozenset(),
        platform_has=frozenset(),
        platform_lacks=frozenset(),
        guest_svn=0,
        measurements=_own(report, "measurement", 48),
        host_data=_own(report, "host_data", 32),
        family_ids=_own(report, "family_id", 16),
        image_ids=_own(report, "image_id", 16),
        id_keys=_own(report, "id_key_digest", 48),
        author_keys=_own(report, "author_key_digest", 48),
    )


def _own(report: ReportV2 | None, name: str, size: int) -> frozenset[bytes]:
    return frozenset({bytes(size) if report is None else getattr(report, name)})


def _tdx(item: TdxItem) -> str:
    roots = intel_roots().intel if item.root is None else (item.root,)
    report = verify_quote(
        item.quote, item.collateral, _tdx_policy(item.quote), roots=roots, now=item.now
    )
    return str(report.tcb_status)


def _tdx_policy(data: bytes) -> TdxPolicy:
    try:
        body = parse_quote(data).body
    except (FormatError, UnsupportedError):
        body = None
    services, devices = {ZEROS}, {ZEROS}
    if isinstance(body, TdReport15):
        services = {body.mrservicetd}
    if isinstance(body, TdReport15Ex):
        services |= {body.init_service_td, body.service_td}
        devices = {body.devices}
    return TdxPolicy(
        versions=frozenset({4, 5}),
        body_types=frozenset({2, 3, 4}),
        trailing_bytes=True,
        ppids=None,
        statuses=frozenset(TcbStatus) - {TcbStatus.REVOKED},
        advisories=ADVISORIES,
        evaluation=0,
        tcb_date=datetime(2000, 1, 1, tzinfo=UTC),
        td_allows=frozenset(TdAttribute),
        td_requires=frozenset(),
        xfam=b"\xff" * 8,
        service_tds=frozenset(services),
        devices=frozenset(devices),
        images=(_image(body),),
        config_ids=_register(body, "mrconfigid"),
        owners=_register(body, "mrowner"),
        owner_configs=_register(body, "mrownerconfig"),
        seam_modules=None,
    )


def _register(body: TdReport10 | None, name: str) -> frozenset[bytes]:
    return frozenset({ZEROS if body is None else getattr(body, name)})


def _image(body: TdReport10 | None) -> TdImage:
    if body is None:
        return TdImage(mrtd=ZEROS, rtmr0=ZEROS, rtmr1=ZEROS, rtmr2=ZEROS, rtmr3=ZEROS)
    return TdImage(
        mrtd=body.mrtd, rtmr0=body.rtmr0, rtmr1=body.rtmr1, rtmr2=body.rtmr2, rtmr3=body.rtmr3
    )
