# SPDX-License-Identifier: Apache-2.0
"""What must hold of a platform, asked from inside its guest: one row for each check.

A check returns what it found, in words that name no chip, or raises. `NotHereError` says that the
machine is of the other platform, or that something was not given to compare with.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from attest.endorsements import SnpEndorsements, TdxEndorsements
from attest.findings import Refused, Stage
from attest.result import VerifiedReport
from attest.snp.certificate import Vek, parse_vek
from attest.snp.certtable import parse_certificate_table, vek_for
from attest.snp.claims import Claims
from attest.snp.product import PRODUCTS, ProductLine
from attest.snp.report import ReportV2, parse_report
from attest.snp.verify import verify_report
from attest.tdx.launch.registers import Register
from attest.tdx.quote import Quote, parse_quote
from attest.tdx.verify import verify_quote
from guest.keyholder.tsm import (
    BLOB_MAX_BYTES,
    INBLOB_BYTES,
    Provider,
    read_privilege_floor,
    read_provider,
)
from sealroom.measurement import LAUNCH_DIGEST
from sealroom.policy_drafts import pinned_snp
from sealroom.tdx_drafts import pinned_tdx
from tests.hardware.subject import CheckError, NotHereError, Subject

DATA = secrets.token_bytes(INBLOB_BYTES)  # of this run; reports over it are kept
ANOTHER = secrets.token_bytes(INBLOB_BYTES)
REPEATED = 10
SIGNED_BYTE = 0x60  # of REPORT_DATA in a report, of MRSEAM in a quote
FORGED = "a report with one bit changed"
MISSING = "none: give --endorsements, which `sealroom endorsements` writes"


S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Check(Generic[S]):
    """One thing that must hold.

    Attributes:
        name: in reports; it never changes.
        why: it is looked at.
        run: the check itself.
    """

    name: str
    why: str
    run: Callable[[S], str]


def provider(subject: Subject) -> str:
    """Which driver answers."""
    return read_provider(subject.configfs).value


def bound(subject: Subject) -> str:
    """The report is about the bytes that were given."""
    for data in (DATA, ANOTHER):
        got = _report_data(subject, data)
        if got != data:
            raise CheckError("report data", "the 64 bytes that were given", "others")
    return "the report repeats the 64 bytes, twice others"


def too_much(subject: Subject) -> str:
    """The kernel takes no 65th byte."""
    name = f"sealroom-{secrets.token_hex(16)}"
    subject.configfs.make(name)
    try:
        subject.configfs.write(name, "inblob", bytes(INBLOB_BYTES + 1))
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise CheckError("65 bytes", "EFBIG", f"errno {error.errno}") from error
        return "EFBIG"
    finally:
        subject.configfs.remove(name)
    raise CheckError("65 bytes", "EFBIG", "they were taken")


def steady(subject: Subject) -> str:
    """Two reports of one guest show the same launch."""
    one, other = measured(subject, DATA), measured(subject, ANOTHER)
    if one != other:
        raise CheckError("measurements", "the same twice", "others")
    return ", ".join(f"{name} {value.hex()}" for name, value in one.items())


def bounded(subject: Subject) -> str:
    """What the host adds to a report is within the keyholder's limit, and well formed."""
    answer = subject.report(DATA)
    if answer.provider is not Provider.SEV_GUEST:
        raise NotHereError("TDX has no auxblob")
    table = parse_certificate_table(answer.auxblob)
    kinds = [name for name in ("vcek", "vlek", "ask", "ark", "crl") if getattr(table, name)]
    size = f"{len(answer.auxblob)} of at most {BLOB_MAX_BYTES} bytes"
    return f"{size}: {', '.join(kinds) or 'nothing'}; unknown entries: {len(table.unknown)}"


def privileged(subject: Subject) -> str:
    """The guest runs at the level that its reports name, and no other level is above it."""
    floor = read_privilege_floor(subject.configfs)
    if floor is None:
        raise NotHereError("TDX has no privilege levels")
    vmpl = _snp(subject).vmpl
    if vmpl != floor:
        raise CheckError("VMPL", f"{floor}, the floor", str(vmpl))
    if vmpl:
        raise CheckError("VMPL", "0, nobody above", f"{vmpl}: a service module or paravisor")
    return "VMPL 0"


def verified(subject: Subject) -> str:
    """Signature and chain lead to the roots, and every rule without a choice holds."""
    result = _verify(subject)
    notes = ", ".join(note.notice for note in result.notes) or "none"
    return f"{result.product_line}; {result.tcb}; notes: {notes}"


def forged(subject: Subject) -> str:
    """One bit of the report changed, and it is refused."""
    answer = subject.report(DATA)
    changed = bytearray(answer.outblob)
    changed[SIGNED_BYTE] ^= 1
    try:
        _verify(subject, bytes(changed))
    except Refused as error:
        if error.stage is not Stage.SIGNATURE:
            raise CheckError(
                "a report with one bit changed", Stage.SIGNATURE, error.stage
            ) from error
        return "refused for its signature"
    raise CheckError("a report with one bit changed", "refused", "accepted")


def expected(subject: Subject) -> str:
    """The launch is the published one."""
    if not subject.expected:
        raise NotHereError("nothing was given to compare with")
    got = measured(subject, DATA)
    wanted = {name: value for name, value in subject.expected.items() if name in got}
    if not wanted:
        raise NotHereError("what was given is of the other platform")
    for name, value in wanted.items():
        if got[name] != value:
            raise CheckError(name, value.hex(), got[name].hex())
    return f"as published: {', '.join(wanted)}"


def registers(subject: Subject) -> str:
    """The registers that the kernel shows are the quote's."""
    quote = _quote(subject)
    if not subject.registers.is_dir():
        raise NotHereError("the kernel shows no registers (before 6.16)")
    for name in Register:
        shown = (subject.registers / f"{name}:sha384").read_bytes()
        if shown != getattr(quote.body, name):
            raise CheckError(name, "the quote's value", "another")
    return f"{len(Register)} registers"


def repeated(subject: Subject) -> str:
    """How long a report takes."""
    times: list[float] = []
    for number in range(REPEATED):
        before = subject.clock()
        subject.report(number.to_bytes(INBLOB_BYTES, "big"))
        times.append(subject.clock() - before)
    in_ms = sorted(round(1000 * seconds, 1) for seconds in times)
    return (
        f"{REPEATED} reports, ms: least {in_ms[0]}, median {in_ms[REPEATED // 2]}, most {in_ms[-1]}"
    )


CHECKS = (
    Check("provider", "the keyholder knows two drivers, by their names", provider),
    Check("report-data", "a report vouches for the statement only by these bytes", bound),
    Check("inblob-limit", "what does not fit must not be cut to what does", too_much),
    Check("measurement", "it is the one thing that says what runs", steady),
    Check("auxblob", "the host writes it, so it is bounded and parsed strictly", bounded),
    Check("privilege-level", "a level above the guest's could read it", privileged),
    Check("verified", "the whole chain, by the product's own verifier", verified),
    Check("forged", "a verifier that takes everything would have passed too", forged),
    Check("published", "what runs is what was published", expected),
    Check("registers", "two ways to the same registers", registers),
    Check("latency", "nobody has published it", repeated),
)


def _report_data(subject: Subject, data: bytes) -> bytes:
    answer = subject.report(data)
    if answer.provider is Provider.SEV_GUEST:
        return parse_report(answer.outblob).report_data
    return parse_quote(answer.outblob).body.report_data


def measured(subject: Subject, data: bytes) -> dict[str, bytes]:
    """What a report over these bytes shows of the launch."""
    answer = subject.report(data)
    if answer.provider is Provider.SEV_GUEST:
        return {LAUNCH_DIGEST: parse_report(answer.outblob).measurement}
    body = parse_quote(answer.outblob).body
    return {str(name): getattr(body, name) for name in Register}


def _snp(subject: Subject) -> ReportV2:
    answer = subject.report(DATA)
    if answer.provider is not Provider.SEV_GUEST:
        raise NotHereError("of SEV-SNP")
    return parse_report(answer.outblob)


def _quote(subject: Subject) -> Quote:
    answer = subject.report(DATA)
    if answer.provider is not Provider.TDX_GUEST:
        raise NotHereError("of TDX")
    return parse_quote(answer.outblob)


def _verify(subject: Subject, changed: bytes | None = None) -> VerifiedReport:
    """Verify a report under a policy that leaves open what a policy may leave open."""
    answer = subject.report(DATA)
    blob = answer.outblob if changed is None else changed
    if answer.provider is Provider.SEV_GUEST:
        given = _snp_endorsements(subject)
        vek = parse_vek(given.vek)
        snp = pinned_snp(Claims(parse_report(answer.outblob), vek, line_of_vek(vek)))
        return verify_report(blob, given, snp, roots=subject.roots.amd, now=subject.now)
    if not isinstance(subject.endorsements, TdxEndorsements):
        raise CheckError("endorsements", "some", MISSING)
    collateral = subject.endorsements.collateral
    tdx, _ = pinned_tdx(answer.outblob, collateral)
    return verify_quote(blob, collateral, tdx, roots=subject.roots.intel, now=subject.now)


def _snp_endorsements(subject: Subject) -> SnpEndorsements:
    """Those that were given, or the certificate that the host put beside the report."""
    if isinstance(subject.endorsements, SnpEndorsements):
        return subject.endorsements
    answer = subject.report(DATA)
    vek = vek_for(answer.outblob, parse_certificate_table(answer.auxblob))
    if vek is None:
        raise CheckError("endorsements", "some", MISSING)
    return SnpEndorsements(vek=vek, crl=None)


def line_of_vek(vek: Vek) -> ProductLine:
    """The product line that a certificate names."""
    for line, product in PRODUCTS.items():
        if vek.product_name in product.names:
            return line
    raise CheckError("product", ", ".join(ProductLine), vek.product_name)
