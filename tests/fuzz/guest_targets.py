# SPDX-License-Identifier: Apache-2.0
"""What the processes of the guest say to each other, as the one hears it from a captured other.

The first byte of an input for the doors names the door. Ciphertext and tokens, which come from
outside, are in `wire_targets`; the configuration is in `outer_targets`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from guest.channel import pack, unpack
from guest.door import DOORS, Cause, DoorError, Ear, Ended, Ending, Opening, Question
from guest.publication import Publication
from tests.fuzz.target import Target
from tests.guest.gate.house import PUBLICATION

LINKS = tuple(sorted(DOORS))


def hear(data: bytes) -> object:
    """One packet on one door, and the same once more."""
    ear = Ear(*LINKS[data[0] % len(LINKS)]) if data else Ear(*LINKS[0])
    heard = [unpack(ear, data[1:])]
    rule = DOORS[LINKS[data[0] % len(LINKS)]][heard[0][0]]
    if not rule.once:
        heard.append(unpack(ear, data[1:]))
    return heard


def packets() -> list[bytes]:
    """Everything that may be said without a descriptor, on each door."""
    return [
        bytes([number]) + pack(say, 1, bytes(min(1, rule.body_max_bytes)))
        for number, link in enumerate(LINKS)
        for say, rule in DOORS[link].items()
        if not rule.fds
    ]


def target(
    name: str, parse: Callable[[bytes], Any], seeds: list[bytes], write: Callable[[Any], bytes]
) -> Target:
    return Target(name=name, parse=parse, errors=(DoorError,), seeds=lambda: seeds, write=write)


TARGETS = (
    Target(name="door-packet", parse=hear, errors=(DoorError,), seeds=packets),
    target("door-opening", Opening.parse, [Opening(True, 7).write()], Opening.write),
    target(
        "door-ending",
        Ending.parse,
        [Ending(how, 9, cause).write() for how in Ended for cause in Cause],
        Ending.write,
    ),
    target(
        "door-question",
        Question.parse,
        [Question(True, bytes(7), bytes(32)).write()],
        Question.write,
    ),
    target("publication", Publication.parse, [PUBLICATION.write()], Publication.write),
)
