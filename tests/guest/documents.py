# SPDX-License-Identifier: Apache-2.0
"""A configuration document that is accepted, and the same with one field changed."""

import copy
from typing import Any

import yaml

DOCUMENT: dict[str, Any] = {
    "format": "sealroom-guest/1",
    "variant": "mock",
    "gate": {
        "slots": 2,
        "waiting_max": 8,
        "request_max_bytes": 266240,
        "idle_max_s": 10,
        "deadline_s": 120,
    },
    "keys": {
        "kems": ["x-wing", "x25519"],
        "life_s": 1800,
        "overlap_s": 300,
        "grace_s": 120,
        "replay_max": 100000,
    },
    "model": {"digest": "ab" * 32, "context_tokens": 4096, "threads": 1},
    "answer": {"tick_ms": 200},
    "stapling": {"endorsements": "none"},
}


def document(**changed: Any) -> bytes:
    """The document in YAML; ``gate__slots=3`` changes one field, ``None`` leaves it out."""
    written = copy.deepcopy(DOCUMENT)
    for path, value in changed.items():
        *sections, name = path.split("__")
        section = written
        for step in sections:
            section = section[step]
        if value is None:
            del section[name]
        else:
            section[name] = value
    return yaml.safe_dump(written, sort_keys=False).encode("ascii")
