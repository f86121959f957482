# SPDX-License-Identifier: Apache-2.0
"""One vigil per worker: what it asked, how far its answer is, and the moment it is really gone.

The tail is sealed only after this process has itself seen the worker's pidfd become readable,
which the kernel does after it has dropped the memory of the process (do_exit: exit_mm before
exit_notify), and after the zygote has said how the worker ended. What a worker may say here is
`guest.door`'s row; a worker that breaks it gets no tail at all.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

from attest import receipt
from attest.receipt import Kernel, Receipt, write_receipt
from guest.channel import Channel, GoneError
from guest.door import Cause, DoorError, Ended, Ending, Phase, Question, Say
from guest.keyholder.epoch import DeniedError, Ticket
from guest.keyholder.ring import Ring
from guest.keyholder.tail import seal_tail, seal_whole_failure

_ENDED = {
    Ended.EXITED: receipt.Ended.EXITED,
    Ended.SIGNALLED: receipt.Ended.SIGNALLED,
    Ended.UNKNOWN: receipt.Ended.UNKNOWN,
    Ended.UNBORN: receipt.Ended.UNKNOWN,  # not said of a worker that was born
}
LOST = Ending(Ended.UNKNOWN, 0, Cause.NONE)
PARCELS_MAX: Final = 1024  # heard per turn; more than a socket holds


@dataclass(slots=True, repr=False)
class Vigil:
    """Everything the keyholder knows of one worker."""

    number: int
    door: Channel
    pidfd: int
    born: float = field(default_factory=time.monotonic)
    ticket: Ticket | None = None
    chunked: bool = True
    phase: Phase = Phase.NOTHING
    chunks: int = 0
    last_mark: float = 0.0
    gone: float | None = None  # when the pidfd became readable
    ending: Ending | None = None
    captured: bool = False

    def listen(self, ring: Ring) -> bool:
        """Hear what is there; False when nothing more will be heard.

        A broken rule or a second question ends the conversation for good. One turn is bounded, so
        that no worker can keep the keyholder from the others.
        """
        if self.captured:
            return False
        for _ in range(PARCELS_MAX):
            try:
                parcel = self.door.hear(wait=False)
                if parcel is None:
                    return True
                if parcel.say is Say.ASK:
                    self._asked(ring, parcel.body)
                else:
                    self._marked(parcel.body)
            except GoneError:
                return False
            except DoorError:
                self.captured = True
                return False
        return True

    def hear_out(self, ring: Ring) -> None:
        """Hear the last words of a dead worker; a door that is still open has another holder."""
        if self.listen(ring):
            self.captured = True

    def _asked(self, ring: Ring, body: bytes) -> None:
        question = Question.parse(body)
        self.chunked = question.chunked
        try:
            answer, self.ticket = ring.answer(question)
        except DeniedError as error:
            self.door.say(Say.DENIED, body=error.refusal.encode("ascii"))
            return
        self.door.say(Say.SECRET, body=answer)

    def _marked(self, body: bytes) -> None:
        """Count one chunk; phases only move forward, and nothing follows a complete answer."""
        try:
            phase = Phase(body[0])
        except (IndexError, ValueError) as error:
            raise DoorError("mark: not a phase") from error
        whole = phase is Phase.WHOLE
        if self.ticket is None or phase < self.phase or self.phase >= Phase.ANSWERED:
            raise DoorError("mark: out of order")
        if phase is Phase.NOTHING or whole is self.chunked:
            raise DoorError("mark: not a phase of this kind of answer")
        self.phase = phase
        self.chunks += 1
        # A mark that is heard after the worker is gone was sent before.
        self.last_mark = time.monotonic() if self.gone is None else self.gone

    def forget(self) -> None:
        """Wipe the key of the answer, which nobody needs any more."""
        if self.ticket is not None:
            self.ticket.slot.wipe()
            self.ticket = None

    def over(self) -> bool:
        """Whether the worker is gone and its end is known."""
        return self.gone is not None and self.ending is not None

    def conclude(self, kernel: Kernel) -> bytes:
        """The tail for the gate; empty when nothing may or need be sealed."""
        ticket, ending, gone = self.ticket, self.ending, self.gone
        if ticket is None or ending is None or gone is None or self.captured:
            return b""
        if not self.chunked:
            died = self.phase is Phase.NOTHING
            return seal_whole_failure(ticket.key, ending) if died else b""
        killed = ending.cause is not Cause.NONE
        written = write_receipt(
            Receipt(
                epoch=ticket.epoch,
                exchange=ticket.exchange,
                ended=receipt.Ended.KILLED if killed else _ENDED[ending.ended],
                code=ending.code,
                lived_ms=round((gone - self.born) * 1000),
                erased_ms=round((gone - (self.last_mark or self.born)) * 1000),
                kernel=kernel,
            )
        )
        signature = ticket.signer.sign(written)
        return seal_tail(
            ticket.key,
            phase=self.phase,
            chunks=self.chunks,
            ending=ending,
            receipt=written,
            signature=signature,
        )
