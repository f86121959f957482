# SPDX-License-Identifier: Apache-2.0
"""What the guest may write down: an event of a closed list, and the numbers its row declares.

No text of any exception, no address, no content and no hash of content can be written, because
there is no argument that would take it: a number that no row declares is refused, and every number
is kept within the range of its unit, so that none is wide enough for a digest. Nothing here tells a
time; when a line was written, its reader knows anyway. One line of JSON per event on standard
error. That nothing else writes is a contract test's (`tests/contract/test_written.py`).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Final


class Event(StrEnum):
    """Everything that can be written down."""

    STARTED = "started"
    READY = "ready"
    FELL = "fell"  # a process of the guest ended and is started again
    STOPPED = "stopped"
    KEY_STATE = "key-state"
    ATTESTATION_FAILED = "attestation-failed"
    DOOR_BROKEN = "door-broken"  # a peer said what the table does not list
    WORKER_ENDED = "worker-ended"
    MODEL_REFUSED = "model-refused"
    SELFTEST_FAILED = "selftest-failed"  # a row of `guest.selftest_rows`, by its number
    NOT_STARTED = "not-started"  # a production guest that lacks something
    POWER_OFF = "power-off"  # the whole machine; a row of `guest.boot.reasons`, and an errno
    FAULT = "fault"  # an exception that nobody caught, or a complaint of a library


class Unit(Enum):
    """What a number is, and the least and the largest that is written; others become the nearest.

    The widest has 24 bits: enough to count what a guest does in its life, too few for a digest.
    """

    INDEX = (0, 63)  # a place in one of our own tables
    FLAG = (0, 1)
    CODE = (-255, 255)  # of an exit, or an errno; the negative of a signal
    COUNT = (0, (1 << 24) - 1)


FIELDS: Final[Mapping[Event, Mapping[str, Unit]]] = {
    Event.STARTED: {},
    Event.READY: {},
    Event.FELL: {"process": Unit.INDEX, "code": Unit.CODE, "restarts": Unit.COUNT},
    Event.STOPPED: {},
    Event.KEY_STATE: {"epoch": Unit.COUNT, "state": Unit.INDEX},
    Event.ATTESTATION_FAILED: {"code": Unit.CODE},
    Event.DOOR_BROKEN: {},
    Event.WORKER_ENDED: {"exited": Unit.FLAG, "code": Unit.CODE},
    Event.MODEL_REFUSED: {},
    Event.SELFTEST_FAILED: {"row": Unit.INDEX},
    Event.NOT_STARTED: {"lacking": Unit.COUNT},
    Event.POWER_OFF: {"reason": Unit.INDEX, "code": Unit.CODE},
    Event.FAULT: {
        "process": Unit.INDEX,
        "origin": Unit.INDEX,
        "kind": Unit.INDEX,
        "code": Unit.CODE,
        "line": Unit.COUNT,
    },
}
"""Every event with exactly the numbers that belong to it."""


def record(event: Event, **numbers: int) -> None:
    """Write one event.

    Raises:
        TypeError: the numbers are not those that `FIELDS` declares for it, as for any wrong call.
    """
    fields = FIELDS[event]
    if numbers.keys() != fields.keys() or not all(map(_is_number, numbers.values())):
        raise TypeError(f"{event}: wanted {sorted(fields)} as int, got {sorted(numbers)}")
    kept = {name: _within(unit, numbers[name]) for name, unit in fields.items()}
    line = json.dumps({"event": event.value, **kept}, separators=(",", ":")) + "\n"
    # A journal that cannot be written, as when its reader is gone, must not end the process.
    with contextlib.suppress(OSError):
        os.write(2, line.encode("ascii"))


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _within(unit: Unit, number: int) -> int:
    low, high = unit.value
    return int(min(max(number, low), high))
