# SPDX-License-Identifier: Apache-2.0
"""The sections of the guest's configuration, one per concern, and how init hands them to a child.

Nothing is decided here and nothing is imported: each process may read its own section without
importing what it must not (`guest.config` reads the document and refuses what is out of range).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, TypeVar


class Variant(StrEnum):
    """The three products. A policy names the ones it accepts."""

    PRODUCTION = "production"
    RESEARCH = "research"
    MOCK = "mock"


class Kem(StrEnum):
    """Key encapsulation mechanisms a guest may offer, by name; the ids are `wire`'s."""

    X_WING = "x-wing"
    X25519 = "x25519"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """Limits at the door to the network."""

    slots: int  # workers alive at once
    waiting_max: int  # requests that may wait for a slot; one more is Busy
    request_max_bytes: int
    idle_max_s: int  # between two pieces of a request
    deadline_s: int  # from arrival to the last sealed byte


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySettings:
    """Which keys there are and how long they live."""

    kems: tuple[Kem, ...]
    life_s: int
    overlap_s: int  # the next key is published this long before the old one ends
    grace_s: int  # an ended key still answers this long, for requests under way
    replay_max: int  # encapsulations remembered per key; one more is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """The model, by what it is, not by where it lies."""

    digest: bytes  # SHA-256 of the GGUF
    context_tokens: int
    threads: int  # per worker


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSettings:
    """The shape of answers on the wire."""

    tick_ms: int  # one record of fixed size per tick while streaming


@dataclass(frozen=True, slots=True, kw_only=True)
class StaplingSettings:
    """What the keyholder staples to evidence besides what the host gives."""

    endorsements: str | None  # the operator's bundle: a path, read anew for every epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What the keyholder states about this guest besides its keys."""

    variant: Variant
    model: bytes  # SHA-256 of the GGUF
    prompts: bytes  # SHA-256 over the public prompt prefixes
    configuration: bytes  # SHA-256 of the configuration document
    lacking: tuple[str, ...]  # of isolation and start self-test, sorted (`guest.selftest`)


Section = TypeVar("Section")

_FROM_JSON: dict[str, Callable[[Any], Any]] = {
    "int": int,
    "bytes": bytes.fromhex,
    "tuple[str, ...]": tuple,
    "tuple[Kem, ...]": lambda names: tuple(Kem(name) for name in names),
    "Variant": Variant,
    "str | None": lambda text: text,
}


def write_sections(*sections: Any) -> bytes:
    """What init gives a child: one line per section, its name and its fields as JSON."""
    return b"\n".join(
        f"{type(section).__name__} {json.dumps(asdict(section), default=bytes.hex)}".encode("ascii")
        for section in sections
    )


def read_section(body: bytes, kind: type[Section]) -> Section:
    """The section of one kind. ``body`` comes from init, which is of the same release.

    Raises:
        KeyError: init did not send this section.
    """
    for line in body.split(b"\n"):
        name, _, text = line.decode("ascii").partition(" ")
        if name == kind.__name__:
            plain = json.loads(text)
            read = {f.name: _FROM_JSON[str(f.type)](plain[f.name]) for f in fields(kind)}  # type: ignore[arg-type]
            return kind(**read)
    raise KeyError(kind.__name__)
