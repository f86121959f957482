# SPDX-License-Identifier: Apache-2.0
"""The demonstration: a real chat summarised end to end, and all a newcomer would ask about it.

What is shown is what happened: the report of the run is built first (`Report`), then printed as
text or as JSON. Only the summary itself is printed while it arrives.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from attest import Reason
from lab.deployment import Deployment
from sealroom import Answer, Phase, Trust, connect, read_chat

OBSERVED_MAX_S: Final = 2.0
SHOWN: Final = frozenset(
    {
        Reason.TCB_MISMATCH,
        Reason.DEBUG_ALLOWED,
        Reason.MIGRATION_ALLOWED,
        Reason.UNKNOWN_MEASUREMENT,
        Reason.REPORTED_TCB_TOO_OLD,
        Reason.REPORT_DATA_MISMATCH,
        Reason.VARIANT_NOT_ACCEPTED,
        Reason.STATEMENT_EXPIRED,
        Reason.COLLATERAL_EXPIRED,
        Reason.ATTESTATION_KEY_UNBOUND,
        Reason.TCB_STATUS_NOT_ACCEPTED,
        Reason.TD_DEBUG,
        Reason.UNKNOWN_RTMRS,
        Reason.UNKNOWN_MODEL,
        Reason.UNKNOWN_PROMPTS,
    }
)
PARTS: Final = (
    ("fetch", "fetch the evidence through the relay"),
    ("verify", "verify it"),
    ("seal", "seal the request"),
    ("queue", "wait for a room"),
    ("open", "open the request in the room"),
    ("prefill", "read the chat"),
    ("decode", "write the summary"),
    ("erased", "empty the room"),
    ("relay", "relay, ingress, gate and the padding's tick"),
    ("total", "from sealing to the checked receipt"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one run of the demonstration did."""

    chat: str
    messages: int
    guest: dict[str, Any]
    summary: str
    done: dict[str, Any]
    relay: list[dict[str, Any]]
    receipt: dict[str, Any]
    ms: dict[str, int]


def demo(deployment: Deployment, chat_file: Path, *, as_json: bool) -> None:
    """Bring a deployment up, summarise ``chat_file`` in it, tell what happened, take it down.

    Raises:
        DeploymentError, SealroomError, OSError: what did not work, in words.
    """
    chat = read_chat(chat_file.read_bytes())
    say = _Teller(quiet=as_json)
    mocked = f"mock {deployment.plan.platform}"
    say.step(f"Starting {deployment.GUEST}, an ingress and a relay on this host ({mocked}) …")
    for note in deployment.notes:
        say.line(f"   {note}")
    started = time.monotonic()
    with deployment as lab:
        say.line(f"up in {time.monotonic() - started:.1f} s: guest, ingress, relay")
        trust = Trust.load(lab.trust)
        with connect(trust=trust, timeouts=lab.TIMEOUTS, on_phase=say.phase) as room:
            say.guest(room.guest)
            say.step(f"Summarising {chat_file.name} ({len(chat.messages)} messages)")
            stream = room.summarize_stream(chat.messages)
            say.summary(stream)
            answer = stream.answer
        exchanges = _observed(lab)
    report = _report(chat_file.name, len(chat.messages), answer, exchanges)
    if as_json:
        json.dump(asdict(report), sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        say.report(report)


def _observed(lab: Deployment) -> list[dict[str, Any]]:
    """What the relay told; it tells of an exchange when the last byte has left."""
    until = time.monotonic() + OBSERVED_MAX_S
    while time.monotonic() < until:
        if any(seen["kind"] == "exchange" for seen in lab.observations):
            break
        time.sleep(0.05)
    return list(lab.observations)


def _report(name: str, messages: int, answer: Answer, observations: list[dict[str, Any]]) -> Report:
    guest = answer.guest
    return Report(
        chat=name,
        messages=messages,
        guest={
            "platform": guest.platform,
            "product_line": guest.product_line,
            "variant": guest.statement.variant,
            "measurement": guest.measurement.hex(),
            "tcb": guest.tcb,
            "checks": [check._asdict() for check in guest.checks],
            "policy": guest.policy_digest.hex(),
            "expires": guest.expires.isoformat(),
        },
        summary=answer.text,
        done=asdict(answer.done),
        relay=observations,
        receipt=json.loads(answer.signed_receipt.receipt),
        ms={name: getattr(answer.timing, name) for name, _ in PARTS},
    )


class _Teller:
    """Prints for a person, or nothing at all."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def step(self, text: str) -> None:
        self.line(f"\n== {text}")

    def line(self, text: str) -> None:
        if not self._quiet:
            print(text, flush=True)

    def phase(self, phase: Phase) -> None:
        self.line(f"   … {phase}")

    def guest(self, guest: Any) -> None:
        statement = guest.statement
        self.step("Verified before a byte was sealed")
        self.line(f"platform      {guest.platform}, {guest.product_line}, {statement.variant}")
        self.line(f"measurement   {guest.measurement.hex()}")
        self.line(f"firmware      {guest.tcb}")
        self.line(f"model         SHA-256 {statement.model.hex()}")
        self.line(f"keys          epoch {statement.epoch}, until {guest.expires:%H:%M:%S} UTC")
        self.line(f"checks        {len(guest.checks)} held, none failed; among them:")
        for check in guest.checks:
            if check.reason in SHOWN:
                self.line(f"   {check.rule:4} not {check.reason}: {check.got[:48]}")
        self.line("   MOCK: the roots of this chain are the lab's; no production policy has them.")

    def summary(self, pieces: Any) -> None:
        for piece in pieces:
            if not self._quiet:
                print(piece, end="", flush=True)
        self.line("")

    def report(self, report: Report) -> None:
        self.step("What the relay saw")
        for seen in report.relay:
            self.line("   " + "  ".join(f"{key} {value}" for key, value in seen.items()))
        self.step("The receipt: the room was empty before the answer was complete")
        for key, value in report.receipt.items():
            self.line(f"   {key:10} {value}")
        self.step("Where the time went (ms)")
        for key, words in PARTS:
            self.line(f"   {report.ms[key]:7}  {words}")
