# SPDX-License-Identifier: Apache-2.0
"""The rows of single documents of Intel's: answers of its service, revocation lists, TDREPORTs.

Such a document does not say who signed it. It is held against the root, and against the signers
and CAs of the directory's bundles, which that root vouches for. What lies under intel/qvl-sample is
of Intel's test root, and none of it may be vouched for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from attest import FormatError, Reason, Stage
from attest.roots import intel_roots
from attest.tdx.certificate import parse_pck_chain
from attest.tdx.collateral import parse_collateral
from attest.tdx.quote import parse_quote
from attest.tdx.roots import Holder
from attest.tdx.tcb_info import parse_qe_identity, parse_tcb_info
from attest.tdx.td_report import REPORT_TYPE_TDX, TdReport, parse_td_report
from attest.x509 import common_name, parse_certificate, parse_crl
from lab.evidence_table.row import Row, Verdict
from sealroom.pem import CERTIFICATE, read_ders

ANSWER = re.compile(
    rb'\{"(tcbInfo|enclaveIdentity)":(\{.*\}),"signature":"([0-9a-f]{128})"\}\s*', re.DOTALL
)
PARSERS = {b"tcbInfo": parse_tcb_info, b"enclaveIdentity": parse_qe_identity}
SIGNATURES = {
    b"tcbInfo": Reason.TCB_INFO_SIGNATURE,
    b"enclaveIdentity": Reason.QE_IDENTITY_SIGNATURE,
}
TEST_ROOT = "qvl-sample"
NOT_OURS = "of Intel's test root: not vouched for"


def rows(folder: Path, pairs: list[tuple[bytes, bytes]]) -> Iterator[Row]:
    """Every document that stands alone; ``pairs`` are the quotes and collateral of the bundles."""
    trusted = list(_trusted(pairs))
    for path in sorted((folder / "intel").rglob("*")):
        if not path.is_file() or not {"collateral", TEST_ROOT} & set(path.parts):
            continue
        data, item = path.read_bytes(), str(path.relative_to(folder))
        if found := ANSWER.fullmatch(data):
            yield _answer(item, trusted, *found.groups())
        elif path.name.lower().endswith(("crl", "crl.der")):
            yield _crl(item, trusted, data)
        elif path.name == "trustedRootCaCert.pem":
            yield _test_root(item, data)
        elif len(data) == TdReport.SIZE:
            yield _td_report(item, data)


def _trusted(pairs: list[tuple[bytes, bytes]]) -> Iterator[Holder]:
    for root in intel_roots().intel:
        yield root.holder
        for quote, material in pairs:
            collateral = parse_collateral(material)
            signers = (
                collateral.signed_tcb_info.signer,
                collateral.signed_qe_identity.signer,
                parse_pck_chain(parse_quote(quote).pck_chain).ca,
            )
            yield from (holder for holder in signers if root.holder.issued(holder.certificate))


def _row(item: str, what: str, wanted: str, got: Verdict) -> Row:
    foreign = TEST_ROOT in item
    expected = NOT_OURS if foreign else wanted
    return Row(
        item=item,
        what=what,
        clock=None,
        expected=expected,
        got=got,
        agrees=(got.stage is None) is not foreign,
    )


def _answer(item: str, trusted: list[Holder], kind: bytes, document: bytes, given: bytes) -> Row:
    signature, got = bytes.fromhex(given.decode("ascii")), Verdict()
    try:
        PARSERS[kind](document)
    except FormatError:
        got = Verdict(Stage.FORMAT, (Reason.MALFORMED_COLLATERAL,))
    if not any(holder.signed(signature, document) for holder in trusted):
        got = Verdict(Stage.CHAIN, (SIGNATURES[kind],))
    return _row(item, f"answer of Intel's service, {kind.decode('ascii')}", "signed by Intel", got)


def _crl(item: str, trusted: list[Holder], data: bytes) -> Row:
    crl, got = parse_crl(data), Verdict()
    if not any(holder.issued(crl) for holder in trusted):
        got = Verdict(Stage.CHAIN, (Reason.PCK_CRL_SIGNATURE,))
    return _row(item, f"revocation list of {common_name(crl.issuer)}", "signed by Intel", got)


def _test_root(item: str, data: bytes) -> Row:
    (der,) = read_ders(data, CERTIFICATE, item)
    pinned = der in {root.der for root in intel_roots().intel}
    got = Verdict() if pinned else Verdict(Stage.CHAIN, (Reason.UNKNOWN_ISSUER,))
    name = common_name(parse_certificate(der).subject)
    return _row(item, f"certificate of {name}", "one of the pinned roots", got)


def _td_report(item: str, data: bytes) -> Row:
    """A file as long as a TDREPORT: go-tdx-guest's tests have one that only looks so."""
    got = Verdict()
    try:
        parse_td_report(data)
    except FormatError:
        got = Verdict(Stage.FORMAT, (Reason.MALFORMED_REPORT,))
    named = data[0] == REPORT_TYPE_TDX
    return Row(
        item=item,
        what="TDREPORT, which nobody signed" if named else "bytes of a TDREPORT's length",
        clock=None,
        expected="well-formed" if named else "no TDREPORT",
        got=got,
        agrees=(got.stage is None) is named,
    )
