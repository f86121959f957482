# SPDX-License-Identifier: Apache-2.0
"""What the command line says about guests, answers and errors: as JSON data and as lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime

from attest import VerifiedGuest
from attest.findings import Check
from attest.receipt import Receipt
from attest.result import Note, VerifiedReport
from sealroom.errors import NotTrusted, SealroomError, exit_code
from sealroom.stream import Answer
from wire.keyconfig import target

Json = dict[str, object]

# Attributes of errors that are told as data, where an error has them.
_ERROR_DATA = (
    "what",
    "where",
    "wanted",
    "got",
    "line",
    "status",
    "retry_after_s",
    "limit_s",
    "code",
)


def error_json(error: SealroomError) -> Json:
    """An error as data: its class, its text, and what its class knows besides."""
    told: Json = {
        "kind": type(error).__name__,
        "message": str(error),
        "exit_code": exit_code(error),
    }
    for name in _ERROR_DATA:
        if (value := getattr(error, name, None)) is not None:
            told[name] = value
    if isinstance(error, NotTrusted):
        told["stage"] = error.stage
        told["findings"] = [finding._asdict() for finding in error.findings]
    if error.partial:
        told["partial"] = error.partial
    return told


def error_lines(error: SealroomError) -> Iterator[str]:
    """An error for people; all findings of a stage, one a line."""
    if isinstance(error, NotTrusted) and error.findings:
        yield f"sealroom: the guest is not trusted ({error.stage})"
        for finding in error.findings:
            yield f"  {finding.reason}: wanted {finding.wanted}, got {finding.got}"
        return
    yield f"sealroom: {error}"
    if error.partial:
        yield "sealroom: what was printed is not a complete answer"


def guest_json(guest: VerifiedGuest) -> Json:
    """A verified guest as data."""
    return {
        "product": guest.statement.product,
        "variant": guest.statement.variant,
        "platform": guest.platform,
        "product_line": guest.product_line,
        "tcb": guest.tcb,
        "tcb_status": guest.tcb_status,
        "advisories": list(guest.advisories),
        "measurement": guest.measurement.hex(),
        "epoch": guest.statement.epoch,
        "lacking": list(guest.statement.lacking),
        "targets": [target(config) for config in guest.key_configs],
        "expires": _time(guest.expires),
        "policy_digest": guest.policy_digest.hex(),
        "checks": [check._asdict() for check in guest.checks],
        "notes": [note._asdict() for note in guest.notes],
    }


def guest_lines(guest: VerifiedGuest) -> Iterator[str]:
    """A verified guest for people, with every check that held."""
    statement = guest.statement
    yield f"product      {statement.product} ({statement.variant})"
    yield f"platform     {guest.platform} on {guest.product_line}"
    yield f"tcb          {guest.tcb}"
    if guest.advisories:
        yield f"advisories   {', '.join(guest.advisories)}"
    yield f"measurement  {guest.measurement.hex()}"
    yield f"keys         {', '.join(target(config) for config in guest.key_configs)}"
    yield f"epoch        {statement.epoch}, good until {_time(guest.expires)}"
    yield f"lacking      {', '.join(statement.lacking) or 'nothing'}"
    yield f"policy       {guest.policy_digest.hex()}"
    yield from _check_lines(guest.notes, guest.checks)


def report_json(report: VerifiedReport, policy: bytes) -> Json:
    """A verified report as data; `policy` is the digest of what accepted it."""
    return {
        "platform": report.platform,
        "product_line": report.product_line,
        "tcb": report.tcb,
        "tcb_status": report.tcb_status,
        "advisories": list(report.advisories),
        "measurement": report.measurement.hex(),
        "report_data": report.report_data.hex(),
        "expires": _time(report.expires),
        "policy_digest": policy.hex(),
        "checks": [check._asdict() for check in report.checks],
        "notes": [note._asdict() for note in report.notes],
    }


def report_lines(report: VerifiedReport, policy: bytes) -> Iterator[str]:
    """A verified report for people, with every check that held."""
    yield f"platform     {report.platform} on {report.product_line}"
    yield f"tcb          {report.tcb}"
    if report.advisories:
        yield f"advisories   {', '.join(report.advisories)}"
    yield f"measurement  {report.measurement.hex()}"
    yield f"report data  {report.report_data.hex()}"
    yield f"good until   {_time(report.expires)}"
    yield f"policy       {policy.hex()}"
    yield from _check_lines(report.notes, report.checks)


def _check_lines(notes: Iterable[Note], checks: Sequence[Check]) -> Iterator[str]:
    for note in notes:
        yield f"note         {note.notice}: {note.got}"
    yield f"{len(checks)} checks held: the rule, what it excludes, what was found"
    for check in checks:
        yield f"  {check.rule:4} not {check.reason}: {check.got}"


def answer_json(answer: Answer) -> Json:
    """A complete answer as data."""
    return {
        "text": answer.text,
        "done": asdict(answer.done),
        "guest": guest_json(answer.guest),
        "receipt": receipt_json(answer.receipt),
        "timing": asdict(answer.timing),
    }


def receipt_json(receipt: Receipt) -> Json:
    """A receipt as data."""
    return {**asdict(receipt), "exchange": receipt.exchange.hex()}


def answer_line(answer: Answer) -> str:
    """What a person at a terminal is told under an answer."""
    done, receipt = answer.done, answer.receipt
    cut = "" if done.ended == "stop" else ", cut at its greatest length"
    left = f", {done.omitted} oldest messages left out" if done.omitted else ""
    return (
        f"complete{cut}{left}; its room lived {receipt.lived_ms} ms and was empty "
        f"{receipt.erased_ms} ms after its last word; {answer.timing.total} ms in all"
    )


def printable(text: str) -> str:
    """`text` without the control characters by which it could steer a terminal."""
    return "".join(char if char in "\n\t" or char.isprintable() else "\ufffd" for char in text)


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
