# SPDX-License-Identifier: Apache-2.0
"""What machines write as JSON, field by field: statements, evidence objects and receipts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from attest import SnpEndorsements, parse_evidence
from attest.closed import Record, write_record
from attest.endorsements import Endorsements, TdxEndorsements, parse_endorsements
from attest.receipt import Ended, Fact, parse_receipt
from attest.snp.report import parse_report
from attest.statement import Platform, Variant, parse_statement, report_data
from attest.tdx.quote import parse_quote
from sealroom.receipts import SignedReceipt
from sealroom.show.certificates import explain_certificate, explain_crl, line_of_vek
from sealroom.show.collateral import explain_collateral
from sealroom.show.field import Field, Section
from sealroom.show.quote import explain_quote
from sealroom.show.report import explain_report
from wire.keyconfig import target

MEANS: Mapping[str, str] = {
    "format": "form and version of this object",
    "product": "name of the software",
    "variant": "which image runs",
    "platform": "which hardware vouches for it",
    "key_configs": "keys that may be sealed to; each is shown as the target in its URL",
    "not_before": "start of the keys' life",
    "not_after": "its end",
    "epoch": "number of the epoch since the guest began",
    "model": "SHA-256 of the model file",
    "prompts": "SHA-256 over the prompts",
    "configuration": "SHA-256 over the guest's configuration",
    "lacking": "what the guest says that it lacks of its isolation and start self-test",
    "receipt_key": "Ed25519 key that signs erasure receipts",
    "checkpoint": "latest log checkpoint that the guest has seen",
    "exchange": "SHA-256 over the exchange's encapsulated key and response nonce",
    "ended": "how the process ended",
    "code": "its exit status or the signal that ended it",
    "lived_ms": "milliseconds from its birth to its observed end",
    "erased_ms": "milliseconds from its last byte to its observed end",
    "init_on_free": "whether the kernel clears memory that is given back",
    "swap": "whether memory can go to a disk",
    "core_dumps": "whether a crash leaves a copy",
}

_WANTED = {"init_on_free": Fact.ON, "swap": Fact.OFF, "core_dumps": Fact.OFF}


def explain_statement(data: bytes) -> list[Section]:
    """An attested statement.

    Raises:
        FormatError: not a statement.
    """
    statement = parse_statement(data)
    unusual = {
        "variant": "" if statement.variant is Variant.PRODUCTION else "not the production image",
        "lacking": "a production guest lacks nothing" if statement.lacking else "",
    }
    read = {
        "key_configs": ", ".join(target(config) for config in statement.key_configs),
        "lacking": ", ".join(statement.lacking) or "nothing",
        "not_before": _moment(statement.not_before),
        "not_after": _moment(statement.not_after),
    }
    fields = [*_fields(statement, unusual, read)]
    digest = report_data(data).hex()
    fields.append(Field(name="SHA-512", value=digest, means="the report data that vouches for it"))
    return [Section("statement, unverified", tuple(fields))]


def explain_evidence(data: bytes) -> list[Section]:
    """An evidence object: what is in it, and whether its report names its statement.

    Raises:
        FormatError: it or a part of it is malformed.
    """
    evidence, endorsements = parse_evidence(data)
    if isinstance(endorsements, SnpEndorsements):
        vouched = parse_report(evidence.report).report_data
        report = explain_report(evidence.report, line_of_vek(endorsements.vek))
    else:
        vouched = parse_quote(evidence.report).body.report_data
        report = explain_quote(evidence.report)
    bound = vouched == report_data(evidence.statement)
    fields = (
        Field(name="platform", value=evidence.platform, means=MEANS["platform"]),
        Field(name="statement", value=f"{len(evidence.statement)} bytes"),
        Field(name="report", value=f"{len(evidence.report)} bytes"),
        Field(
            name="binding",
            value="the report data is SHA-512 of the statement" if bound else "none",
            unusual="" if bound else "the report vouches for something else",
        ),
        *_sizes(endorsements),
    )
    return [
        Section("evidence object", fields),
        *explain_statement(evidence.statement),
        *report,
        *_endorsements(endorsements),
    ]


def explain_endorsements(data: bytes) -> list[Section]:
    """A bundle of endorsements, as an operator gives it to a guest.

    Raises:
        FormatError: it or a part of it is malformed.
    """
    endorsements = parse_endorsements(data)
    snp = isinstance(endorsements, SnpEndorsements)
    platform = Platform.SEV_SNP if snp else Platform.TDX
    fields = (
        Field(name="platform", value=platform, means="whose reports they are for"),
        *_sizes(endorsements),
    )
    return [Section("endorsement bundle", fields), *_endorsements(endorsements)]


def _sizes(endorsements: Endorsements) -> Iterator[Field]:
    for name in type(endorsements).__dataclass_fields__:
        part: bytes | None = getattr(endorsements, name)
        yield Field(name=name, value="none" if part is None else f"{len(part)} bytes")


def _endorsements(endorsements: Endorsements) -> list[Section]:
    if isinstance(endorsements, TdxEndorsements):
        return explain_collateral(endorsements.collateral)
    crl = endorsements.crl
    return explain_certificate(endorsements.vek) + ([] if crl is None else explain_crl(crl))


def explain_receipt(data: bytes) -> list[Section]:
    """An erasure receipt.

    Raises:
        FormatError: not a receipt.
    """
    receipt = parse_receipt(data)
    ordinary = receipt.ended is Ended.EXITED and receipt.code == 0
    unusual = {"ended": "" if ordinary else "not in the ordinary way"}
    return [Section("erasure receipt, unverified", tuple(_fields(receipt, unusual, {})))]


def explain_signed_receipt(data: bytes) -> list[Section]:
    """A receipt as `sealroom --receipt` keeps it, with the evidence that names its key.

    Raises:
        FormatError: it or a part of it is malformed.
    """
    signed = SignedReceipt.parse(data)
    field = Field(name="signature", value=signed.signature.hex(), means="Ed25519, by receipt_key")
    return [
        Section("signed receipt", (field,)),
        *explain_receipt(signed.receipt),
        *explain_evidence(signed.evidence),
    ]


def _fields(record: Record, unusual: Mapping[str, str], read: Mapping[str, str]) -> Iterator[Field]:
    for name, value in write_record(record).items():
        if isinstance(value, dict):
            for key, setting in value.items():
                odd = "" if setting == _WANTED[key] else f"wanted {_WANTED[key]}"
                yield Field(name=key, value=setting, means=MEANS[key], unusual=odd)
        else:
            text = read.get(name, value)
            yield Field(name=name, value=text, means=MEANS[name], unusual=unusual.get(name, ""))


def _moment(unix_time: int) -> str:
    return f"{datetime.fromtimestamp(unix_time, UTC):%Y-%m-%dT%H:%M:%SZ}"
