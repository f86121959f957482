# SPDX-License-Identifier: Apache-2.0
"""Raw forms of evidence, as researchers have them: one row for each, with what it comes with.

A row says which options make up a form and how it is judged. Root and intermediate certificates in
the files are compared with the verifier's own and never believed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from attest import Finding, FormatError, Reason, Refused, Roots, SnpEndorsements, Stage
from attest.azure import (
    HCL_MAX_BYTES,
    ReportType,
    parse_hcl,
    refuse_unsigned,
    verify_hcl,
    verify_hcl_quote,
)
from attest.endorsements import (
    COLLATERAL_MAX_BYTES,
    ENDORSEMENTS_MAX_BYTES,
    Endorsements,
    parse_endorsements,
)
from attest.evidence import REPORT_MAX_BYTES
from attest.limits import CRL_MAX_BYTES
from attest.result import VerifiedReport
from attest.snp.policy import SnpPolicy
from attest.snp.verify import verify_report
from attest.statement import Platform
from attest.tdx.policy import TdxPolicy
from attest.tdx.quote import QUOTE_MAX_BYTES
from attest.tdx.verify import verify_quote
from attest.x509 import Certificate, common_name, parse_certificate
from sealroom.cli_files import read_input
from sealroom.combinations import Combination, given_options
from sealroom.errors import InputError, NotTrusted, UsageError
from sealroom.hexadecimal import HEX_FACTOR, read_hex
from sealroom.pem import CERTIFICATE, CRL, PEM_MAX_BYTES, read_ders

_BASIC_CONSTRAINTS = "2.5.29.19"  # in every certificate of an authority, and in no VEK's


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What a form is judged by; a platform that has no policy is refused by name."""

    snp: SnpPolicy | None
    tdx: TdxPolicy | None
    roots: Roots
    now: datetime

    def for_snp(self) -> SnpPolicy:
        """What is demanded of SEV-SNP.

        Raises:
            Refused: nothing, so that no report of it is accepted.
        """
        if self.snp is None:
            raise _unsupported(Platform.TDX, Platform.SEV_SNP)
        return self.snp

    def for_tdx(self) -> TdxPolicy:
        """What is demanded of TDX.

        Raises:
            Refused: nothing, so that no quote of it is accepted.
        """
        if self.tdx is None:
            raise _unsupported(Platform.SEV_SNP, Platform.TDX)
        return self.tdx


@dataclass(frozen=True, slots=True)
class Form:
    """One raw form: its options, and its judge."""

    options: Combination
    judge: Callable[[argparse.Namespace, Criteria], VerifiedReport]


def judge(args: argparse.Namespace, by: Criteria) -> VerifiedReport:
    """The report that the arguments name, verified. They have passed `wrong_options`.

    Raises:
        NotTrusted: it is malformed, or a check failed.
        UsageError: a file holds a form that goes with other options.
        InputError: a file cannot be read.
    """
    given = given_options(args, COMBINATIONS)
    form = next(form for form in FORMS if form.options.fits(given))
    try:
        return form.judge(args, by)
    except (FormatError, Refused) as error:
        raise NotTrusted(error) from error


def read_binary(name: str, most: int) -> bytes:
    """The bytes of a binary form, which may be spelled in hexadecimal.

    Raises:
        InputError: the file cannot be read, or holds more than `most` bytes.
    """
    data = read_hex(read_input(name, HEX_FACTOR * most))
    if len(data) > most:
        raise InputError(name, f"at most {most} bytes", "more")
    return data


def read_endorsements(args: argparse.Namespace, roots: Roots) -> SnpEndorsements:
    """The one VEK certificate among those given, and the CRL if one is; or those of a bundle.

    Raises:
        FormatError: a file is malformed.
        Refused: no VEK or several, or an authority that is not the verifier's own; a bundle of
            another platform.
        InputError: a file cannot be read.
    """
    if args.endorsements is not None:
        bundle = _bundle(args)
        if not isinstance(bundle, SnpEndorsements):
            raise _mismatch(Platform.SEV_SNP, Platform.TDX)
        return bundle
    veks: list[bytes] = []
    authorities: list[Certificate] = []
    for name in args.cert:
        for der in read_ders(read_input(name, PEM_MAX_BYTES), CERTIFICATE, name):
            authority = _authority(der)
            if authority is None:
                veks.append(der)
            else:
                authorities.append(authority)
    if len(veks) != 1:
        finding = Finding(Reason.MALFORMED_VEK, "one VCEK or VLEK certificate", f"{len(veks)}")
        raise Refused(Stage.FORMAT, [finding])
    crl = None if args.crl is None else _one_crl(args.crl)
    if unknown := [a for a in authorities if a.der not in _ders(roots)]:
        names = ", ".join(common_name(authority.subject) for authority in unknown)
        wanted = "no authority but the verifier's own"
        raise Refused(Stage.CHAIN, [Finding(Reason.UNKNOWN_ISSUER, wanted, names)])
    return SnpEndorsements(vek=veks[0], crl=crl)


def _one_crl(name: str) -> bytes:
    ders = read_ders(read_input(name, CRL_MAX_BYTES * 2), CRL, name)
    if len(ders) != 1:
        raise FormatError(name, None, f"wanted one CRL, got {len(ders)}")
    return ders[0]


def _authority(der: bytes) -> Certificate | None:
    """The certificate, if it is an authority's; what cannot be read is left to the VEK's parser."""
    try:
        certificate = parse_certificate(der)
    except FormatError:
        return None
    return certificate if _BASIC_CONSTRAINTS in certificate.extensions else None


def _ders(roots: Roots) -> set[bytes]:
    authorities = (a for root in roots.amd for a in (root.ark, root.ask, root.asvk))
    return {authority.certificate.der for authority in authorities if authority is not None}


def _snp(args: argparse.Namespace, by: Criteria) -> VerifiedReport:
    report = read_binary(args.report, REPORT_MAX_BYTES)
    policy = by.for_snp()
    endorsements = read_endorsements(args, by.roots)
    return verify_report(report, endorsements, policy, roots=by.roots.amd, now=by.now)


def _hcl_with_vek(args: argparse.Namespace, by: Criteria) -> VerifiedReport:
    data = read_binary(args.hcl, HCL_MAX_BYTES)
    policy = by.for_snp()
    endorsements = read_endorsements(args, by.roots)
    return verify_hcl(data, endorsements, policy, roots=by.roots.amd, now=by.now)


def _hcl_with_quote(args: argparse.Namespace, by: Criteria) -> VerifiedReport:
    data = read_binary(args.hcl, HCL_MAX_BYTES)
    quote, collateral = _quote(args)
    policy = by.for_tdx()
    return verify_hcl_quote(data, quote, collateral, policy, roots=by.roots.intel, now=by.now)


def _hcl_alone(args: argparse.Namespace, _: Criteria) -> VerifiedReport:
    """Never a report: either options are missing, or nothing vouches for what is there."""
    data = read_binary(args.hcl, HCL_MAX_BYTES)
    if parse_hcl(data).kind is ReportType.SNP:
        raise UsageError(args.hcl, "an SEV-SNP report is inside, which goes with --cert")
    refuse_unsigned(data)


def _tdx(args: argparse.Namespace, by: Criteria) -> VerifiedReport:
    quote, collateral = _quote(args)
    return verify_quote(quote, collateral, by.for_tdx(), roots=by.roots.intel, now=by.now)


def _quote(args: argparse.Namespace) -> tuple[bytes, bytes]:
    quote = read_binary(args.quote, QUOTE_MAX_BYTES)
    if args.endorsements is None:
        return quote, read_input(args.collateral, COLLATERAL_MAX_BYTES)
    bundle = _bundle(args)
    if isinstance(bundle, SnpEndorsements):
        raise _mismatch(Platform.TDX, Platform.SEV_SNP)
    return quote, bundle.collateral


def _bundle(args: argparse.Namespace) -> Endorsements:
    return parse_endorsements(read_input(args.endorsements, ENDORSEMENTS_MAX_BYTES))


def _mismatch(wanted: Platform, got: Platform) -> Refused:
    return Refused(Stage.FORMAT, [Finding(Reason.ENDORSEMENTS_MISMATCH, wanted, got)])


def _unsupported(wanted: Platform, got: Platform) -> Refused:
    return Refused(Stage.FORMAT, [Finding(Reason.UNSUPPORTED_PLATFORM, wanted, got)])


FORMS: tuple[Form, ...] = (
    Form(Combination("report", ("cert",), ("crl",)), _snp),
    Form(Combination("report", ("endorsements",)), _snp),
    Form(Combination("hcl", ("cert",), ("crl",)), _hcl_with_vek),
    Form(Combination("hcl", ("endorsements",)), _hcl_with_vek),
    Form(Combination("hcl", ("quote", "collateral")), _hcl_with_quote),
    Form(Combination("hcl", ("quote", "endorsements")), _hcl_with_quote),
    Form(Combination("hcl"), _hcl_alone),
    Form(Combination("quote", ("collateral",)), _tdx),
    Form(Combination("quote", ("endorsements",)), _tdx),
)
# The option of each form, by the name under which `sealroom show` knows it.
OPTION_OF = {"SEV-SNP report": "report", "HCL report": "hcl", "TDX quote": "quote"}

COMBINATIONS = (Combination("file"), *(form.options for form in FORMS))
