# SPDX-License-Identifier: Apache-2.0
"""The keyholder with doors on which anything may be said by anybody, as often as they like."""

import json
import sys
from unittest.mock import patch

from guest import door
from guest.channel import Parcel
from guest.door import DoorError, Process, Refusal, Rule, Say
from guest.keyholder.__main__ import main
from guest.keyholder.service import Keyholder
from guest.keyholder.vigil import Vigil
from lab.mocktsm import MockTsm

GATE, KEYHOLDER, WORKER = Process.GATE, Process.KEYHOLDER, Process.WORKER
OPEN = {
    **door.DOORS,
    (WORKER, KEYHOLDER): {Say.ASK: Rule(2048), Say.MARK: Rule(1), Say.PUBLISH: Rule(64)},
    (GATE, KEYHOLDER): {Say.ASK: Rule(2048), Say.BORN: Rule(0, fds=2)},
    (KEYHOLDER, GATE): {**door.DOORS[KEYHOLDER, GATE], Say.DENIED: Rule(64)},
}
heard, marked = Keyholder._heard, Vigil._marked


def answer_the_gate_too(self: Keyholder, parcel: Parcel) -> None:
    if parcel.say is Say.ASK:
        self._tell(GATE, Say.DENIED, body=Refusal.REFUSED.encode("ascii"))
    else:
        heard(self, parcel)


def take_any_mark(self: Vigil, body: bytes) -> None:
    try:
        marked(self, body)
    except DoorError:
        self.captured = False


if __name__ == "__main__":
    with (
        patch.object(door, "DOORS", OPEN),
        patch.object(Keyholder, "_heard", answer_the_gate_too),
        patch.object(Vigil, "_marked", take_any_mark),
    ):
        main(MockTsm.from_plain(json.loads(sys.argv[3])))
