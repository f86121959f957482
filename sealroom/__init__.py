# SPDX-License-Identifier: Apache-2.0
"""Private AI on private messages: the device's side.

    from sealroom import Trust, connect, read_chat

    with connect(trust=Trust.load("trust.yaml")) as room:
        answer = room.summarize(read_chat(data).messages)
        print(answer.text)

`connect` fetches the guest's evidence through the relay and verifies it before anything is sealed.
An `Answer` exists only once its last chunk has opened and its erasure receipt has held. Everything
that can go wrong is a `SealroomError`. `sealroom.aio.connect` is the same for asyncio.
"""

from sealroom.blocking import Room, Stream, connect
from sealroom.chat import Chat, read_chat
from sealroom.errors import (
    AlteredError,
    Busy,
    ChatFormatError,
    Deadline,
    EvidenceFormatError,
    InputError,
    NotTrusted,
    ReceiptError,
    RefusedByGuest,
    SealroomError,
    StaleKey,
    Truncated,
    TrustFileError,
    Unreachable,
    UsageError,
)
from sealroom.stream import Answer, Phase
from sealroom.timeouts import Timeouts
from sealroom.timing import Timing
from sealroom.trust import Trust
from wire.api import Message, Tone

__version__ = "0.1.0"

__all__ = [
    "AlteredError",
    "Answer",
    "Busy",
    "Chat",
    "ChatFormatError",
    "Deadline",
    "EvidenceFormatError",
    "InputError",
    "Message",
    "NotTrusted",
    "Phase",
    "ReceiptError",
    "RefusedByGuest",
    "Room",
    "SealroomError",
    "StaleKey",
    "Stream",
    "Timeouts",
    "Timing",
    "Tone",
    "Truncated",
    "Trust",
    "TrustFileError",
    "Unreachable",
    "UsageError",
    "connect",
    "read_chat",
]
