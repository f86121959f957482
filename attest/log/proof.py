# SPDX-License-Identifier: Apache-2.0
"""Proofs that an entry is in a log: index, path and checkpoint in one file (C2SP tlog-proof).

The ``extra`` line is nobody's word and is not kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from attest.errors import FormatError
from attest.log.checkpoint import Checkpoint, parse_checkpoint, read_hash
from attest.log.merkle import PATH_MAX
from attest.log.note import NOTE_MAX_BYTES, read_decimal
from attest.scalars import Base64

PROOF_MAX_BYTES: Final = NOTE_MAX_BYTES  # with the note in it
EXTRA_MAX_BYTES: Final = 64 * 1024
FORMAT: Final = "c2sp.org/tlog-proof@v1"

_WHAT: Final = "log proof"


@dataclass(frozen=True, slots=True)
class LogProof:
    """Where an entry is said to be in a log's tree, and the path to its root."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: Checkpoint


def parse_proof(data: bytes) -> LogProof:
    """Read a proof. Nothing of it is verified.

    Raises:
        FormatError: not one, or over a limit.
    """
    if len(data) > PROOF_MAX_BYTES:
        raise FormatError(_WHAT, None, f"wanted at most {PROOF_MAX_BYTES} bytes, got {len(data)}")
    head, _, checkpoint = data.partition(b"\n\n")
    try:
        index, path = _read_head(head.decode("ascii"))
    except ValueError as error:  # what is not ASCII is one, too
        raise FormatError(_WHAT, None, str(error)) from error
    return LogProof(index, path, parse_checkpoint(checkpoint))


def _read_head(text: str) -> tuple[int, tuple[bytes, ...]]:
    header, *lines = text.split("\n")
    if header != FORMAT:
        raise ValueError(f"wanted {FORMAT!r} as its first line")
    if lines and lines[0].startswith("extra "):
        Base64(EXTRA_MAX_BYTES).read(lines.pop(0).removeprefix("extra "))
    if not lines or not lines[0].startswith("index "):
        raise ValueError("wanted a line with the index of the entry")
    index = read_decimal(lines.pop(0).removeprefix("index "))
    if len(lines) > PATH_MAX:
        raise ValueError(f"wanted at most {PATH_MAX} hashes, got {len(lines)}")
    return index, tuple(read_hash(line) for line in lines)
