# SPDX-License-Identifier: Apache-2.0
"""Raw forms of evidence, as researchers have them: one row for each, with what it comes with.

A row says which options a form needs and may have beside its own, and how it is judged. Root and
intermediate certificates in the files are compared with the verifier's own and never believed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from attest import Finding, FormatError, Reason, Refused, Roots, SnpEndorsements, Stage
from attest.azure import HCL_MAX_BYTES, verify_hcl
from attest.evidence import COLLATERAL_MAX_BYTES, REPORT_MAX_BYTES
from attest.result import VerifiedReport
from attest.snp.policy import SnpPolicy
from attest.snp.verify import verify_report
from attest.statement import Platform
from attest.tdx.policy import TdxPolicy
from attest.tdx.quote import QUOTE_MAX_BYTES
from attest.tdx.verify import verify_quote
from attest.x509 import CRL_MAX_BYTES, Certificate, common_name, parse_certificate
from sealroom.cli_files import read_input
from sealroom.errors import NotTrusted
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
    """One raw form: the options it needs and may have, and its judge."""

    needs: tuple[str, ...]
    may: tuple[str, ...]
    judge: Callable[[argparse.Namespace, Criteria], VerifiedReport]


def judge(args: argparse.Namespace, by: Criteria) -> VerifiedReport:
    """The report that the arguments name, verified.

    Raises:
        NotTrusted: it is malformed, or a check failed.
        InputError: a file cannot be read.
    """
    try:
        return FORMS[given(args)].judge(args, by)
    except (FormatError, Refused) as error:
        raise NotTrusted(error) from error


def given(args: argparse.Namespace) -> str:
    """Which raw form the arguments name; empty for none."""
    return next((option for option in FORMS if getattr(args, option, None) is not None), "")


def wrong_options(args: argparse.Namespace) -> str:
    """What the form named by the arguments lacks or may not have, for people; empty for nothing."""
    option = given(args)
    form = FORMS.get(option, Form((), (), judge))
    name = f"--{option}" if option else "what is given"
    others = {word for row in FORMS.values() for word in row.needs + row.may}
    for word in sorted(others):
        present = bool(getattr(args, word, None))
        if word in form.needs and not present:
            return f"{name} needs --{word}"
        if present and word not in form.needs + form.may:
            return f"{name} goes without --{word}"
    return ""


def read_endorsements(args: argparse.Namespace, roots: Roots) -> SnpEndorsements:
    """The one VEK certificate among those given, and the CRL if one is.

    Raises:
        FormatError: a file is malformed.
        Refused: no VEK or several, or an authority that is not the verifier's own.
        InputError: a file cannot be read.
    """
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
    report = read_input(args.report, REPORT_MAX_BYTES)
    policy = by.for_snp()
    endorsements = read_endorsements(args, by.roots)
    return verify_report(report, endorsements, policy, roots=by.roots.amd, now=by.now)


def _hcl(args: argparse.Namespace, by: Criteria) -> VerifiedReport:
    data = read_input(args.hcl, HCL_MAX_BYTES)
    policy = by.for_snp()
    endorsements = read_endorsements(args, by.roots)
    return verify_hcl(data, endorsements, policy, roots=by.roots.amd, now=by.now)


def _tdx(args: argparse.Namespace, by: Criteria) -> VerifiedReport:
    quote = read_input(args.quote, QUOTE_MAX_BYTES)
    collateral = read_input(args.collateral, COLLATERAL_MAX_BYTES)
    return verify_quote(quote, collateral, by.for_tdx(), roots=by.roots.intel, now=by.now)


def _unsupported(wanted: Platform, got: Platform) -> Refused:
    return Refused(Stage.FORMAT, [Finding(Reason.UNSUPPORTED_PLATFORM, wanted, got)])


FORMS: dict[str, Form] = {
    "report": Form(("cert",), ("crl",), _snp),
    "hcl": Form(("cert",), ("crl",), _hcl),
    "quote": Form(("collateral",), (), _tdx),
}
