# SPDX-License-Identifier: Apache-2.0
"""Attacks by whoever has taken over one process of the guest, on the others.

A captured worker is `lab.attack.programs.captured_worker`, a captured gate the programs beside it.
What they say is real, over the real doors; the peers are the guest's own.
"""

from __future__ import annotations

from typing import Final

from lab.attack.alone import Alone, running
from lab.attack.programs.captured_gate import ANSWERED, MADE
from lab.attack.programs.captured_worker import HONEST, LOOT, Move
from lab.attack.site import LabSite
from lab.documents import GuestPlan
from sealroom import task
from sealroom.attack.attack import Attack, Needs, UnclearError, Verdict, refused, succeeded
from sealroom.attack.target import ask, met
from sealroom.errors import AlteredError, ReceiptError, SealroomError, Truncated, Unreachable
from wire.api import Tone

PLAN: Final = GuestPlan(slots=2, waiting_max=16, deadline_s=6, tick_ms=30)
WORKER: Final = {"zygote": "lab.attack.programs.captured_worker"}
GATES: Final = {
    "ask": "lab.attack.programs.captured_gate",
    "born": "lab.attack.programs.gate_born",
    "unknown": "lab.attack.programs.gate_unknown",
    "twice": "lab.attack.programs.gate_twice",
}
LIMIT_S: Final = 120.0
MOVES_S: Final = 30.0
ANSWER_S: Final = 8.0  # longer than any move takes
_REFERENCE: Final = "Provos et al., Preventing Privilege Escalation (USENIX 2003); CWE-653"


async def worker(site: LabSite, move: Move, *wanted: type[SealroomError]) -> Verdict:
    """What a device makes of an answer whose worker broke a rule.

    Raises:
        UnclearError: the worker's answer is not complete without a move either.
    """
    house = await site.shared("captured", PLAN, WORKER)
    honest = await ask(house.target, stream=True)
    if honest.text != HONEST:
        raise UnclearError(f"without a move the worker said {honest.text!r}")
    try:
        answer = await ask(house.target, asked=task.rewrite(move, Tone.FRIENDLY), stream=True)
    except SealroomError as error:
        if LOOT in error.partial:
            return succeeded("the keyholder answered a second question")
        return met(error, wanted)
    return succeeded(f"the device took the answer for a complete one: {answer.receipt.ended}")


async def gate(site: LabSite, move: str) -> Verdict:
    """What the gate's peers make of what it must not say."""
    guest = Alone(site, programs={"gate": GATES[move]})
    async with running(guest):
        if not await guest.until(f"captured {move} {MADE}", MOVES_S):
            raise UnclearError(f"the captured gate made no move: {guest.journal[-200:]}")
        went_along = await guest.until(f"captured {move} {ANSWERED}", ANSWER_S)
        journal = guest.journal
    if move == "twice" and f"captured fork {ANSWERED}" not in journal:
        raise UnclearError("the zygote did not fork for the gate at all")
    if went_along:
        return succeeded("its peer went along with it")
    return refused("nothing was answered" + "; door-broken" * ("door-broken" in journal))


def _worker_row(
    move: Move, name: str, tries: str, defence: str, *wanted: type[SealroomError]
) -> Attack[LabSite]:
    async def run(site: LabSite) -> Verdict:
        return await worker(site, move, *wanted)

    return Attack(f"captured-worker-{name}", _REFERENCE, tries, defence, run, LIMIT_S, Needs.LAB)


def _gate_row(move: str, name: str, tries: str, defence: str) -> Attack[LabSite]:
    async def run(site: LabSite) -> Verdict:
        return await gate(site, move)

    return Attack(f"captured-gate-{name}", _REFERENCE, tries, defence, run, LIMIT_S, Needs.LAB)


_TABLE: Final = "what is not in the table does not exist: guest.door"

ATTACKS: Final[tuple[Attack[LabSite], ...]] = (
    _worker_row(
        Move.ASK_AGAIN,
        "asks-again",
        "have a captured worker ask for the secret of another request too",
        "one question for a worker: guest.door",
        Truncated,
        Unreachable,
    ),
    _worker_row(
        Move.GO_BACK,
        "counts-anew",
        "have a captured worker go back to an earlier phase of its answer",
        "phases only go forward: guest.keyholder.vigil",
        Truncated,
        Unreachable,
    ),
    _worker_row(
        Move.UNMARKED,
        "hides-chunks",
        "have a captured worker send chunks that the keyholder does not count",
        "the final chunk is sealed under the keyholder's count: guest.keyholder.tail",
        AlteredError,
    ),
    _worker_row(
        Move.UNLISTED,
        "publishes-keys",
        "have a captured worker say what only the keyholder says",
        _TABLE,
        Truncated,
        Unreachable,
    ),
    _worker_row(
        Move.STAY,
        "lives-on",
        "have a captured worker answer and then live on with what it has read",
        "no answer is complete before its room is empty: guest.keyholder.vigil",
        ReceiptError,
    ),
    _worker_row(
        Move.CRASH,
        "ends-badly",
        "have a captured worker answer and then end with an error",
        "the receipt says how the room ended: sealroom.receipts.check_emptied",
        ReceiptError,
    ),
    _gate_row(
        "ask",
        "asks-for-a-secret",
        "have a captured gate ask the keyholder as a worker would",
        _TABLE,
    ),
    _gate_row(
        "born",
        "forges-a-birth",
        "have a captured gate announce a worker of its own and ask in its name",
        _TABLE,
    ),
    _gate_row(
        "unknown",
        "says-the-unlisted",
        "have a captured gate say to the zygote what is in no table",
        _TABLE,
    ),
    _gate_row(
        "twice",
        "forks-twins",
        "have a captured gate make two workers under one number",
        "a number that lives is not given again: guest.worker.zygote",
    ),
)
