# SPDX-License-Identifier: Apache-2.0
"""Asking through a relay that spoils something: the one error that comes of it."""

import asyncio

import pytest

from sealroom import Message, Timeouts, Trust, aio
from sealroom.errors import (
    SealroomError,
)
from tests.sealroom.guest import WORDS
from tests.sealroom.relay import Relay, serving
from wire.ohttp import Mode

CHAT = (Message("Ana", "18:04", "where do we meet?"),)
TEXT = "".join(WORDS)
SHORT = Timeouts(connect_s=1, evidence_s=3, first_byte_s=0.3, idle_s=0.3, total_s=5)
MEDIA = Mode.CHUNKED.response_media


def failure(
    relay: Relay, trust: Trust, *, timeouts: Timeouts = SHORT, batch: bool = False
) -> SealroomError:
    """The error that a summary through `relay` ends with."""

    async def run() -> None:
        async with (
            serving(relay),
            aio.connect(relay.url, trust=trust, timeouts=timeouts) as room,
        ):
            if batch:
                await room.summarize(CHAT)
            else:
                await room.summarize_stream(CHAT).rest()

    with pytest.raises(SealroomError) as caught:
        asyncio.run(run())
    assert TEXT not in str(caught.value) + repr(caught.value)
    return caught.value
