# SPDX-License-Identifier: Apache-2.0
"""The one document by which a guest can be configured: its closed schema, ranges included.

Every field is required and unknown ones are refused (`attest.closed`). The SHA-256 of the exact
bytes is in the attested statement, so a guest cannot be configured differently from what it
attests. What a process gets to see of it stands in `guest.settings`.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal

from attest.closed import read_record
from attest.errors import AttestError
from attest.scalars import Hex, Text, Whole
from guest.settings import (
    AnswerSettings,
    GateSettings,
    Kem,
    KeySettings,
    ModelSettings,
    StaplingSettings,
    Variant,
)
from wire.chunked import CHUNKS_MAX
from wire.errors import WireError
from wire.yamldoc import load_yaml

CONFIG_MAX_BYTES: Final = 16 * 1024
PATH_MAX_CHARACTERS: Final = 255
TARGETS_MAX: Final = 64  # as many as one reply of the service may name (`guestapi`)
RECORDS_MAX: Final = CHUNKS_MAX - 64  # of one answer; the rest is for signs of life and the tail


class ConfigError(Exception):
    """The configuration document cannot be used; the text says which field and why."""


@dataclass(frozen=True, kw_only=True)
class GateSection:
    """See `guest.settings.GateSettings`."""

    slots: Annotated[int, Whole(1, 64)]
    waiting_max: Annotated[int, Whole(0, 1024)]
    request_max_bytes: Annotated[int, Whole(4096, 1 << 20)]
    idle_max_s: Annotated[int, Whole(1, 60)]
    deadline_s: Annotated[int, Whole(1, 600)]


@dataclass(frozen=True, kw_only=True)
class KeySection:
    """See `guest.settings.KeySettings`."""

    kems: tuple[Kem, ...]
    life_s: Annotated[int, Whole(2, 3600)]
    overlap_s: Annotated[int, Whole(1, 1800)]
    grace_s: Annotated[int, Whole(0, 600)]
    replay_max: Annotated[int, Whole(1, 1_000_000)]


@dataclass(frozen=True, kw_only=True)
class ModelSection:
    """See `guest.settings.ModelSettings`."""

    digest: Annotated[bytes, Hex(32)]
    context_tokens: Annotated[int, Whole(1024, 32768)]
    threads: Annotated[int, Whole(1, 64)]


@dataclass(frozen=True, kw_only=True)
class AnswerSection:
    """See `guest.settings.AnswerSettings`."""

    tick_ms: Annotated[int, Whole(10, 2000)]


@dataclass(frozen=True, kw_only=True)
class StaplingSection:
    """See `guest.settings.StaplingSettings`."""

    endorsements: Annotated[str, Text(PATH_MAX_CHARACTERS)] | None


@dataclass(frozen=True, kw_only=True)
class Document:
    """The YAML document, field by field."""

    format: Literal["sealroom-guest/1"]
    variant: Variant
    gate: GateSection
    keys: KeySection
    model: ModelSection
    answer: AnswerSection
    stapling: StaplingSection


@dataclass(frozen=True, kw_only=True)
class GuestConfig:
    """The document as settings, with the digest that names it in the statement."""

    variant: Variant
    gate: GateSettings
    keys: KeySettings
    model: ModelSettings
    answer: AnswerSettings
    stapling: StaplingSettings
    digest: bytes


def parse_config(document: bytes) -> GuestConfig:
    """Read the YAML document.

    Raises:
        ConfigError: not YAML of our strict kind, or a field missing, unknown or out of range.
    """
    if len(document) > CONFIG_MAX_BYTES:
        raise ConfigError(f"configuration: wanted at most {CONFIG_MAX_BYTES} bytes")
    try:
        read = read_record(Document, load_yaml(document, what="configuration"), "configuration")
    except (AttestError, WireError) as error:
        raise ConfigError(str(error)) from error
    if not read.keys.kems or len(set(read.keys.kems)) != len(read.keys.kems):
        raise ConfigError("configuration.keys.kems: wanted at least one, each once")
    if 2 * read.keys.overlap_s > read.keys.life_s:
        raise ConfigError("configuration.keys.overlap_s: wanted at most half of life_s")
    if _targets_max(read.keys) > TARGETS_MAX:
        raise ConfigError(f"configuration.keys: wanted at most {TARGETS_MAX} targets at once")
    if read.gate.deadline_s * 1000 > read.answer.tick_ms * RECORDS_MAX:
        raise ConfigError(
            f"configuration.answer.tick_ms: wanted at most {RECORDS_MAX} records until deadline_s"
        )
    if not _is_plain_path(read.stapling.endorsements):
        raise ConfigError("configuration.stapling.endorsements: wanted an absolute, plain path")
    return GuestConfig(
        variant=read.variant,
        gate=GateSettings(**asdict(read.gate)),
        keys=KeySettings(**asdict(read.keys)),
        model=ModelSettings(**asdict(read.model)),
        answer=AnswerSettings(**asdict(read.answer)),
        stapling=StaplingSettings(**asdict(read.stapling)),
        digest=hashlib.sha256(document).digest(),
    )


def _targets_max(keys: KeySection) -> int:
    """The most targets that can answer at once: one per KEM and epoch that is not erased."""
    every_s = keys.life_s - keys.overlap_s
    epochs = math.ceil((keys.life_s + keys.grace_s) / every_s) + 1
    return epochs * len(keys.kems)


def _is_plain_path(text: str | None) -> bool:
    """Whether a path has one spelling: absolute, printable, nothing doubled, no dots."""
    if text is None:
        return True
    path = PurePosixPath(text)
    plain = path.is_absolute() and str(path) == text and text.isascii() and text.isprintable()
    return plain and not text.startswith("//") and ".." not in path.parts
