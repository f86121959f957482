# SPDX-License-Identifier: Apache-2.0
"""Who inside the guest may say what to whom: the whole conversation, as one table.

The rule of this file: a parcel that is not in `DOORS` does not exist. Each row names the parcel,
how many file descriptors travel with it, how long its body may be, and whether it may be said once
only. A peer that says anything else is presumed captured: its door is closed and nothing is
answered (design §3, after OpenSSH's monitor).

Bodies are opaque here. Their layouts stand where they are written: `guest.door` holds the ones
that two processes share.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, Self


class Process(StrEnum):
    """The processes of the guest (design §3)."""

    INIT = "init"
    GATE = "gate"
    KEYHOLDER = "keyholder"
    ZYGOTE = "zygote"
    WORKER = "worker"


class Say(IntEnum):
    """Everything that can be said. The number is the first byte of a parcel."""

    # init and its three children
    CONFIG = 1  # the child's part of the configuration, RFC 8259 JSON
    LINK = 2  # one end of a socket to the process named in the body
    READY = 3  # the child can do its work
    # gate and zygote
    FORK = 10  # make a worker; its socket to the gate comes along; the body is an `Opening`
    KILL = 11  # end this worker; the body is a `Cause`
    ENDED = 12  # the worker was reaped; the body is an `Ending`
    # gate and worker
    DATA = 20  # ciphertext from the client
    END = 21  # the client has sent everything
    CHUNK = 22  # sealed bytes for the client
    REFUSE = 23  # nothing was opened; the body is a reason word
    # zygote and keyholder
    BORN = 30  # a worker exists; its door and its pidfd come along
    # worker and keyholder
    ASK = 40  # the shared secret of one encapsulation; the body is a `Question`
    SECRET = 41  # shared secret and response nonce
    DENIED = 42  # a reason word, nothing else
    MARK = 43  # the next sealed chunk leaves now; the body is a `Phase`
    # keyholder and gate
    PUBLISH = 50  # targets, evidence and key configs of the newest epoch
    TAIL = 51  # the room is empty; the body is the final chunk, or nothing


@dataclass(frozen=True, slots=True)
class Rule:
    """What one kind of parcel may carry, and how often."""

    body_max_bytes: int
    fds: int = 0
    once: bool = False


_WORD: Final = 64
_PIECE: Final = 32 * 1024
_DOCUMENT: Final = 128 * 1024

DOORS: Final[Mapping[tuple[Process, Process], Mapping[Say, Rule]]] = {
    (Process.INIT, Process.GATE): {
        Say.CONFIG: Rule(_DOCUMENT, once=True),
        Say.LINK: Rule(_WORD, fds=1),
    },
    (Process.INIT, Process.KEYHOLDER): {
        Say.CONFIG: Rule(_DOCUMENT, once=True),
        Say.LINK: Rule(_WORD, fds=1),
    },
    (Process.INIT, Process.ZYGOTE): {
        Say.CONFIG: Rule(_DOCUMENT, fds=1, once=True),
        Say.LINK: Rule(_WORD, fds=1),
    },
    (Process.GATE, Process.INIT): {Say.READY: Rule(0, once=True)},
    (Process.KEYHOLDER, Process.INIT): {Say.READY: Rule(0, once=True)},
    (Process.ZYGOTE, Process.INIT): {Say.READY: Rule(0, once=True)},
    (Process.GATE, Process.ZYGOTE): {Say.FORK: Rule(_WORD, fds=1), Say.KILL: Rule(_WORD)},
    (Process.ZYGOTE, Process.GATE): {Say.READY: Rule(0, once=True), Say.ENDED: Rule(_WORD)},
    (Process.GATE, Process.WORKER): {Say.DATA: Rule(_PIECE), Say.END: Rule(0, once=True)},
    (Process.WORKER, Process.GATE): {
        Say.CHUNK: Rule(_PIECE),
        Say.REFUSE: Rule(_WORD, once=True),
    },
    (Process.ZYGOTE, Process.KEYHOLDER): {Say.BORN: Rule(0, fds=2), Say.ENDED: Rule(_WORD)},
    (Process.KEYHOLDER, Process.ZYGOTE): {},
    (Process.WORKER, Process.KEYHOLDER): {Say.ASK: Rule(2048, once=True), Say.MARK: Rule(1)},
    (Process.KEYHOLDER, Process.WORKER): {
        Say.SECRET: Rule(256, once=True),
        Say.DENIED: Rule(_WORD, once=True),
    },
    (Process.KEYHOLDER, Process.GATE): {Say.PUBLISH: Rule(_DOCUMENT), Say.TAIL: Rule(_PIECE)},
    (Process.GATE, Process.KEYHOLDER): {},
}


class Refusal(StrEnum):
    """Why a request was refused before anything of it was opened. Towards peers, only these."""

    BUSY = "busy"
    UNKNOWN_KEY = "unknown-key"
    REFUSED = "refused"  # every decapsulation failure and every replay: one word
    DEADLINE = "deadline"
    UNAVAILABLE = "unavailable"


class Cause(StrEnum):
    """Why a worker was killed by the zygote."""

    NONE = "none"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"


class Ended(StrEnum):
    """How a worker's life ended, as its parent saw it."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    UNKNOWN = "unknown"
    UNBORN = "unborn"  # there was no room to make it; nobody but the gate hears of it


class Phase(IntEnum):
    """How far the response is, after the chunk that follows this mark has left."""

    NOTHING = 0
    INFORMED = 1  # framing indicator and informational responses
    STREAMING = 2  # head sent, event stream open
    ANSWERED = 3  # the content is complete
    WHOLE = 4  # plain OHTTP: the one and only message


@dataclass(frozen=True, slots=True)
class Opening:
    """What the gate tells a worker at birth: media type, and how long the request waited (ms)."""

    chunked: bool
    queued_ms: int

    LAYOUT = struct.Struct(">?I")

    def write(self) -> bytes:
        """The 5-byte form."""
        return self.LAYOUT.pack(self.chunked, min(self.queued_ms, 2**32 - 1))

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the 5-byte form.

        Raises:
            DoorError: any other length or spelling.
        """
        if len(body) != cls.LAYOUT.size:
            raise DoorError(f"opening: wanted {cls.LAYOUT.size} bytes, got {len(body)}")
        read = cls(*cls.LAYOUT.unpack(body))
        if read.write() != body:
            raise DoorError("opening: not in canonical form")
        return read


@dataclass(frozen=True, slots=True)
class Ending:
    """A reaped worker: how, with which exit code or signal number, and who wanted it."""

    ended: Ended
    code: int
    cause: Cause

    def write(self) -> bytes:
        """Three words."""
        return f"{self.ended} {self.code} {self.cause}".encode("ascii")

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read the three words.

        Raises:
            DoorError: any other spelling.
        """
        try:
            ended, code, cause = body.decode("ascii").split(" ")
            read = cls(Ended(ended), int(code), Cause(cause))
        except ValueError as error:
            raise DoorError("ending: not three known words") from error
        if read.write() != body:
            raise DoorError("ending: not in canonical form")
        return read


@dataclass(frozen=True, slots=True)
class Question:
    """The one thing a worker may ask: the secret behind this OHTTP header and `enc`."""

    chunked: bool
    header: bytes  # the 7 bytes of RFC 9458 §4.3: key id, KEM, KDF, AEAD
    enc: bytes

    HEADER_BYTES = 7

    def write(self) -> bytes:
        """Mode byte, header, enc."""
        return bytes([self.chunked]) + self.header + self.enc

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Split the body again.

        Raises:
            DoorError: too short, or an unknown mode byte.
        """
        start = 1 + cls.HEADER_BYTES
        if len(body) <= start or body[0] > 1:
            raise DoorError("question: wanted a mode byte, a header and enc")
        return cls(bool(body[0]), body[1:start], body[start:])


class DoorError(Exception):
    """The peer said what the table does not list, or said it wrongly."""


def rules(speaker: Process, listener: Process) -> Mapping[Say, Rule]:
    """What ``speaker`` may say to ``listener``."""
    return DOORS[speaker, listener]


class Ear:
    """Judges each parcel that arrives on one door, in order. Holds no socket."""

    def __init__(self, speaker: Process, listener: Process) -> None:
        self._link = f"{speaker} to {listener}"
        self._rules = rules(speaker, listener)
        self._said: set[Say] = set()

    def admit(self, kind: int, body_bytes: int, fds: int) -> Say:
        """Return what was said, if it may be said now.

        Raises:
            DoorError: unlisted, too long, with other descriptors than listed, or said twice.
        """
        try:
            say = Say(kind)
            rule = self._rules[say]
        except (ValueError, KeyError) as error:
            raise DoorError(f"{self._link}: parcel {kind} is not in the table") from error
        if body_bytes > rule.body_max_bytes:
            raise DoorError(f"{self._link}: {say.name} of {body_bytes} bytes")
        if fds != rule.fds:
            raise DoorError(f"{self._link}: {say.name} with {fds} descriptors, not {rule.fds}")
        if rule.once and say in self._said:
            raise DoorError(f"{self._link}: {say.name} said twice")
        self._said.add(say)
        return say
