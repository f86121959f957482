# SPDX-License-Identifier: Apache-2.0
"""What a guest says of itself, and how a hardware report vouches for it.

A statement is one RFC 8785 JSON object; ``report_data`` of the report is SHA-512 over its exact
bytes (design §3). It names every key that a client may seal to, so that a verified report vouches
for those keys and for no others. Digests are in hexadecimal, key configs in base64url.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from attest.canonical import read_canonical, write_canonical
from attest.closed import Notation, read_record, write_record
from attest.errors import FormatError
from attest.scalars import Base64Url, Hex, Name, Text, Whole

STATEMENT_MAX_BYTES = 32768
KEY_CONFIG_MAX_BYTES = 4096
KEY_CONFIGS_MAX = 8
CHECKPOINT_MAX_CHARACTERS = 8192
LACKING_MAX = 64
LACKING_MAX_CHARACTERS = 64
UNIX_TIME_MAX_S = 253402300799  # 9999-12-31T23:59:59Z
PRODUCT = "sealroom"

Digest = Annotated[bytes, Hex(32)]
UnixTime = Annotated[int, Whole(0, UNIX_TIME_MAX_S)]
Lack = Annotated[str, Name(LACKING_MAX_CHARACTERS)]


class Platform(StrEnum):
    """The hardware that vouches for a guest."""

    SEV_SNP = "sev-snp"
    TDX = "tdx"


class Variant(StrEnum):
    """Which of the published images runs."""

    PRODUCTION = "production"
    RESEARCH = "research"
    MOCK = "mock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The attested statement of one key epoch.

    Attributes:
        product: the software's name.
        variant: which image.
        platform: which hardware vouches for it.
        key_configs: OHTTP key configurations (RFC 9458 §3.1), without length prefix.
        not_before: start of the keys' life, Unix time in seconds.
        not_after: end of it, exclusive.
        epoch: number of the epoch, growing by one for each since the guest began.
        model: SHA-256 of the model file.
        prompts: SHA-256 over the prompts.
        configuration: SHA-256 over the guest's configuration document.
        lacking: what the guest lacks of its isolation and of its start self-test, sorted by name.
        receipt_key: Ed25519 public key that signs erasure receipts.
        checkpoint: latest cosigned log checkpoint that the guest has seen, or None.
    """

    product: Annotated[str, Text(64)]
    variant: Variant
    platform: Platform
    key_configs: tuple[Annotated[bytes, Base64Url(KEY_CONFIG_MAX_BYTES)], ...]
    not_before: UnixTime
    not_after: UnixTime
    epoch: Annotated[int, Whole(0, 2**32 - 1)]
    model: Digest
    prompts: Digest
    configuration: Digest
    lacking: tuple[Lack, ...]
    receipt_key: Annotated[bytes, Hex(32)]
    checkpoint: Annotated[str, Text(CHECKPOINT_MAX_CHARACTERS)] | None
    format: Literal["sealroom-statement/1"] = "sealroom-statement/1"

    def __post_init__(self) -> None:
        if not 1 <= len(self.key_configs) <= KEY_CONFIGS_MAX:
            raise ValueError(f"wanted 1 to {KEY_CONFIGS_MAX} key configs")
        if len(set(self.key_configs)) != len(self.key_configs):
            raise ValueError("a key config stands twice")
        if len(self.lacking) > LACKING_MAX:
            raise ValueError(f"wanted at most {LACKING_MAX} names in lacking")
        if self.lacking != tuple(sorted(set(self.lacking))):
            raise ValueError("lacking is not sorted, or a name stands twice")
        if self.not_before >= self.not_after:
            raise ValueError("the statement ends before it begins")


def write_statement(statement: Statement) -> bytes:
    """The statement's exact bytes.

    Raises:
        ValueError: a field is not what `parse_statement` would take.
    """
    data = write_canonical(write_record(statement, Notation.JSON))
    try:
        parse_statement(data)
    except FormatError as error:
        raise ValueError(str(error)) from error
    return data


def parse_statement(data: bytes) -> Statement:
    """Read a statement. Nothing in it is believed before a report is found to vouch for it.

    Raises:
        FormatError: not the canonical bytes of one statement.
    """
    value = read_canonical(data, "statement", STATEMENT_MAX_BYTES)
    return read_record(Statement, value, "statement", Notation.JSON)


def report_data(statement: bytes) -> bytes:
    """The 64 bytes of ``report_data`` that vouch for exactly these statement bytes."""
    return hashlib.sha512(statement).digest()
