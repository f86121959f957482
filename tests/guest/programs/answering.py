# SPDX-License-Identifier: Apache-2.0
"""A keyholder's ring in a process of its own, so that its memory can be searched from another.

On standard input: ``ask HEX`` (a question, answered with the response nonce), ``end`` (every answer
gets its tail), ``wipe`` (every ticket is given up), ``scrub``. Each line is answered with one.
"""

from __future__ import annotations

import sys

from guest.door import Cause, Ended, Ending, Phase, Question
from guest.keyholder.epoch import Ticket
from guest.keyholder.ring import Ring
from guest.keyholder.tail import seal_tail
from guest.secretmem import SLOT_BYTES, SecretMemory, scrub
from guest.settings import Kem, KeySettings

SETTINGS = KeySettings(
    kems=(Kem.X_WING, Kem.X25519), life_s=1800, overlap_s=300, grace_s=120, replay_max=1000
)
ENDING = Ending(Ended.EXITED, 0, Cause.NONE)


def end(ticket: Ticket) -> None:
    """End an answer as a vigil does."""
    signature = ticket.signer.sign(b"receipt")
    seal_tail(
        ticket.key,
        phase=Phase.ANSWERED,
        chunks=3,
        ending=ENDING,
        receipt=b"receipt",
        signature=signature,
    )


def main() -> None:
    """Do what each line says."""
    ring = Ring(SETTINGS, SecretMemory(64))
    epoch = ring.bear(monotonic=0.0, wall=1_700_000_000)
    ring.publish(epoch, b"evidence")
    print(*(config.hex() for config in epoch.configs), flush=True)
    tickets: list[Ticket] = []
    for line in sys.stdin:
        verb, _, argument = line.strip().partition(" ")
        said = "done"
        if verb == "ask":
            answer, ticket = ring.answer(Question.parse(bytes.fromhex(argument)))
            said = answer[SLOT_BYTES:].hex()
            tickets.append(ticket)
            del answer, ticket
        elif verb == "end":
            for each in tickets:
                end(each)
        elif verb == "wipe":
            for each in tickets:
                each.slot.wipe()
            tickets.clear()
            del each
        elif verb == "scrub":
            scrub()
        print(said, flush=True)


if __name__ == "__main__":
    main()
