# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: what a log says of its tree, as the text of a signed note (C2SP tlog-checkpoint)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from attest.errors import FormatError
from attest.log.merkle import HASH_BYTES
from attest.log.note import Note, parse_note, read_decimal
from attest.scalars import Base64

_WHAT: Final = "checkpoint"
_FIXED_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's tree at one size.

    Attributes:
        origin: which log.
        size: entries in the tree.
        root: its hash.
        note: the text that is signed, and its signatures.
    """

    origin: str
    size: int
    root: bytes
    note: Note


def parse_checkpoint(data: bytes) -> Checkpoint:
    """Read a checkpoint; no signature is looked at, and extension lines are not read.

    Raises:
        FormatError: not one.
    """
    note = parse_note(data)
    lines = note.text[:-1].split("\n")
    if len(lines) < _FIXED_LINES or not all(lines):
        raise FormatError(_WHAT, None, "wanted origin, size and root, and no empty line")
    origin, size, root, *_ = lines
    try:
        return Checkpoint(origin, read_decimal(size), read_hash(root), note)
    except ValueError as error:
        raise FormatError(_WHAT, None, str(error)) from error


def read_hash(text: str) -> bytes:
    """A hash in base64.

    Raises:
        ValueError: it is none.
    """
    data = Base64(HASH_BYTES).read(text)
    if len(data) != HASH_BYTES:
        raise ValueError(f"wanted a hash of {HASH_BYTES} bytes, got {len(data)}")
    return data
