# SPDX-License-Identifier: Apache-2.0
"""What the guest may write down: an event of a closed list, and numbers.

No text of any exception, no address, no content and no hash of content can be written, because
there is no argument that would take it. One line of JSON per event on standard error.
"""

from __future__ import annotations

import json
import os
from enum import StrEnum


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


def record(event: Event, **numbers: int) -> None:
    """Write one event; ``numbers`` are counts, codes and coarse times."""
    line = json.dumps({"event": event.value, **numbers}, separators=(",", ":")) + "\n"
    os.write(2, line.encode("ascii"))
