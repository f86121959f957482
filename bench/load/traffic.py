# SPDX-License-Identifier: Apache-2.0
"""What the clients of the load run do, and what each of them must get to see.

A request asks for its own mark and a count (`tests.flow.programs.echo`), so what it is answered is
known to the letter, and a word that belongs to another request is seen at once. Everything that is
random is drawn from the seed before the first request is sent.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from sealroom import SealroomError, Tone
from sealroom.aio import AsyncRoom
from sealroom.errors import RefusedByGuest, Unreachable
from tests.flow.client import Sealed, rewrite_message, seal
from tests.flow.programs.echo import answer_to
from wire.bhttp import Response, parse_response
from wire.errors import WireError
from wire.keyconfig import parse_key_config
from wire.ohttp import AnswerOpener

MARK_DIGITS: Final = 16
REPLAYS: Final = 3
PATIENCE_S: Final = 60.0


class Deed(StrEnum):
    """What a client does."""

    BATCH = "batch"  # reads one answer
    STREAM = "stream"  # reads a stream to its end
    LEAVE = "leave"  # reads the first words of a stream, and goes
    HALF = "half"  # sends half of its request, and goes
    REPLAY = "replay"  # sends the same request `REPLAYS` times at once
    GARBAGE = "garbage"  # sends a request with a byte changed


SHARES: Final[Mapping[Deed, int]] = {
    Deed.BATCH: 50,
    Deed.STREAM: 24,
    Deed.LEAVE: 10,
    Deed.HALF: 5,
    Deed.REPLAY: 6,
    Deed.GARBAGE: 5,
}


@dataclass(frozen=True, slots=True)
class Errand:
    """One request of the run, drawn beforehand."""

    deed: Deed
    mark: str
    count: int
    at: float  # where a half ends, and which byte is changed, as a fraction

    @property
    def text(self) -> str:
        """What is sent."""
        return f"echo {self.mark} {self.count}"

    @property
    def answer(self) -> str:
        """What must come."""
        return answer_to(self.mark, self.count)


def errands(total: int, chance: random.Random) -> list[Errand]:
    """The requests of a run."""
    deeds = chance.choices(list(SHARES), weights=list(SHARES.values()), k=total)
    return [
        Errand(
            deed,
            chance.randbytes(MARK_DIGITS // 2).hex(),
            chance.randrange(5, 80),
            chance.uniform(0.05, 0.95),
        )
        for deed in deeds
    ]


@dataclass
class Tally:
    """What came of them. ``wrong`` and ``untyped`` must stay empty."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    untyped: list[str] = field(default_factory=list)
    epochs: set[int] = field(default_factory=set)
    killed: int = 0


class Client:
    """Runs errands through one room."""

    def __init__(self, room: AsyncRoom, url: str, tally: Tally, *, exact: bool = True) -> None:
        """With ``exact`` an answer must be what the echo gives; else it must not be empty."""
        self._room = room
        self._parts = urlsplit(url)
        self._url = url
        self._tally = tally
        self._exact = exact
        self._deeds: dict[Deed, Callable[[Errand], Awaitable[str]]] = {
            Deed.BATCH: self._batch,
            Deed.STREAM: self._stream,
            Deed.LEAVE: self._leave,
            Deed.HALF: self._half,
            Deed.REPLAY: self._replay,
            Deed.GARBAGE: self._garbage,
        }

    async def run(self, errand: Errand) -> None:
        """Do it, and count what came of it."""
        try:
            outcome = await self._deeds[errand.deed](errand)
        except SealroomError as error:
            if not errand.answer.startswith(error.partial.strip()) and self._exact:
                self._tally.wrong.append(f"{errand.deed} {errand.mark}: a partial answer")
            outcome = _name(error)
        except Exception as error:  # noqa: BLE001 - any other exception is what this run looks for
            self._tally.untyped.append(f"{errand.deed}: {error!r}")
            outcome = "untyped"
        self._tally.outcomes[f"{errand.deed}: {outcome}"] += 1

    def _judge(self, errand: Errand, text: str) -> str:
        right = text.strip() == errand.answer if self._exact else bool(text.strip())
        if not right:
            self._tally.wrong.append(f"{errand.deed} {errand.mark}: a whole answer")
        return "answered" if right else "wrong"

    async def _batch(self, errand: Errand) -> str:
        answer = await self._room.rewrite(errand.text, Tone.FRIENDLY)
        self._tally.epochs.add(answer.receipt.epoch)
        return self._judge(errand, answer.text)

    async def _stream(self, errand: Errand) -> str:
        pieces = [piece async for piece in self._room.rewrite_stream(errand.text, Tone.FRIENDLY)]
        return self._judge(errand, "".join(pieces))

    async def _leave(self, errand: Errand) -> str:
        stream = self._room.rewrite_stream(errand.text, Tone.FRIENDLY)
        try:
            first = await anext(stream, "")
        finally:
            stream.close()
        if self._exact and not errand.answer.startswith(first.strip()):
            self._tally.wrong.append(f"{errand.deed} {errand.mark}: the first words")
        return "left"

    async def _sealed(self, errand: Errand) -> Sealed:
        guest = await self._room.verify()
        config = parse_key_config(guest.key_configs[0])
        return seal(config, rewrite_message(errand.text))

    async def _half(self, errand: Errand) -> str:
        sealed = await self._sealed(errand)
        body = sealed.body[: int(len(sealed.body) * errand.at)]
        _, writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        head = (
            f"POST /t/{sealed.target} HTTP/1.1\r\nHost: relay\r\n"
            f"Content-Type: {sealed.mode.value}\r\nContent-Length: {len(sealed.body)}\r\n\r\n"
        )
        writer.write(head.encode("ascii") + body)
        await writer.drain()
        await asyncio.sleep(errand.at / 5)
        writer.close()
        return "left"

    async def _replay(self, errand: Errand) -> str:
        sealed = await self._sealed(errand)
        replies = await asyncio.gather(*(self._post(sealed, sealed.body) for _ in range(REPLAYS)))
        answers = [body for status, body in replies if status == 200]
        if len(answers) > 1:
            self._tally.wrong.append(f"{errand.deed} {errand.mark}: {len(answers)} answers")
        for answer in answers:
            try:
                opened = _open(sealed, answer)
            except WireError:
                return "answered once, cut"
            right = not self._exact or errand.answer in opened.content.decode("utf-8")
            if opened.status == 200 and not right:
                self._tally.wrong.append(f"{errand.deed} {errand.mark}: another answer")
        statuses = sorted(status for status, _ in replies if status != 200)
        return f"answered {len(answers)} of {REPLAYS}, {statuses}"

    async def _garbage(self, errand: Errand) -> str:
        sealed = await self._sealed(errand)
        broken = bytearray(sealed.body)
        broken[int(len(broken) * errand.at)] ^= 1
        status, body = await self._post(sealed, bytes(broken))
        # A worker that was killed between its question and its refusal has a sealed ending.
        if status == 200 and _open(sealed, body).status == 200:
            self._tally.wrong.append(f"{errand.deed} {errand.mark}: answered")
        return str(status)

    async def _post(self, sealed: Sealed, body: bytes) -> tuple[int, bytes]:
        """The status, and the body if the answer came to its end; 0 if there was no status."""
        patience = aiohttp.ClientTimeout(total=PATIENCE_S)
        headers = {"Content-Type": sealed.mode.value}
        async with aiohttp.ClientSession(timeout=patience) as session:
            try:
                url = f"{self._url}/t/{sealed.target}"
                async with session.post(url, data=body, headers=headers) as reply:
                    return reply.status, await reply.read()
            except aiohttp.ClientPayloadError:
                return 0, b""


def _open(sealed: Sealed, answer: bytes) -> Response:
    opener = sealed.opener
    if isinstance(opener, AnswerOpener):
        return parse_response(opener.open(answer))
    return parse_response(b"".join([*opener.receive(answer), opener.finish()]))


def _name(error: SealroomError) -> str:
    """The class, and the code or status that goes with it."""
    if isinstance(error, RefusedByGuest):
        return f"RefusedByGuest {error.code}"
    if isinstance(error, Unreachable):
        return f"Unreachable {error.status}"
    return type(error).__name__
