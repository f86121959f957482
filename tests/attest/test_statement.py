# SPDX-License-Identifier: Apache-2.0
"""The statement: its exact bytes, and nothing that reads otherwise."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError
from attest.statement import (
    KEY_CONFIG_MAX_BYTES,
    KEY_CONFIGS_MAX,
    LACKING_MAX,
    LACKING_MAX_CHARACTERS,
    STATEMENT_MAX_BYTES,
    parse_statement,
    report_data,
    write_statement,
)
from tests.attest.case import STATEMENT

WRITTEN = write_statement(STATEMENT)
NOT_NAMES = (
    "",
    "-",
    "-a",
    "a-",
    "a--b",
    "A",
    "a b",
    "a_b",
    "\u00e9",
    "\u0661",
    "s" * (LACKING_MAX_CHARACTERS + 1),
)


def test_a_statement_is_one_line_of_canonical_json() -> None:
    assert WRITTEN.startswith(b'{"checkpoint":null,"configuration":"')
    assert b'"epoch":7,"format":"sealroom-statement/1","key_configs":["AQEB' in WRITTEN
    assert b'"platform":"sev-snp","product":"sealroom"' in WRITTEN
    assert WRITTEN.endswith(b'"variant":"mock"}')


@pytest.mark.parametrize(
    "statement",
    [
        STATEMENT,
        replace(STATEMENT, checkpoint="log.example\n7\n"),
        replace(STATEMENT, lacking=("a", "no-paths", "s" * LACKING_MAX_CHARACTERS)),
        replace(STATEMENT, lacking=tuple(f"lack-{n:02}" for n in range(LACKING_MAX))),
    ],
)
def test_a_statement_reads_back_as_written(statement: Any) -> None:
    assert parse_statement(write_statement(statement)) == statement


def test_report_data_is_the_digest_of_the_exact_bytes() -> None:
    assert report_data(WRITTEN) == hashlib.sha512(WRITTEN).digest()


def test_several_post_quantum_key_configs_fit() -> None:
    configs = tuple(bytes([n]) * 1300 for n in range(KEY_CONFIGS_MAX))
    assert len(write_statement(replace(STATEMENT, key_configs=configs))) < STATEMENT_MAX_BYTES


@pytest.mark.parametrize(
    "changes",
    [
        {"key_configs": ()},
        {"key_configs": (b"same", b"same")},
        {"key_configs": tuple(bytes([n]) for n in range(KEY_CONFIGS_MAX + 1))},
        {"not_before": 5, "not_after": 5},
        {"lacking": ("own-user", "own-user")},
        {"lacking": ("own-user", "no-paths")},
        {"lacking": tuple(f"lack-{n:02}" for n in range(LACKING_MAX + 1))},
    ],
)
def test_a_statement_that_makes_no_sense_cannot_be_constructed(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        replace(STATEMENT, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": bytes(31)},
        {"receipt_key": bytes(33)},
        {"epoch": -1},
        {"epoch": 2**32},
        {"product": ""},
        {"key_configs": (bytes(KEY_CONFIG_MAX_BYTES + 1),)},
        {"key_configs": (b"",)},
        {"checkpoint": ""},
        *({"lacking": (name,)} for name in NOT_NAMES),
    ],
)
def test_what_would_not_be_read_is_not_written(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="statement"):
        write_statement(replace(STATEMENT, **changes))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"epoch":7', b'"epoch":07'),
        (b'"epoch":7', b'"epoch":7.0'),
        (b'"epoch":7', b'"epoch":"7"'),
        (b'"epoch":7', b'"epoch":true'),
        (b'"epoch":7,', b""),
        (b'"lacking":[]', b'"lacking":null'),
        (b'"lacking":[]', b'"lacking":["b","a"]'),
        (b'"lacking":[]', b'"lacking":["a","a"]'),
        (b'"lacking":[]', b'"lacking":["Own-User"]'),
        (b'"lacking":[],', b""),
        (b'"epoch":7', b'"epoch":7,"extra":1'),
        (b'"epoch":7', b'"epoch":7,"epoch":7'),
        (b"statement/1", b"statement/2"),
        (b'"mock"', b'"debug"'),
        (b'"sev-snp"', b'"sgx"'),
        (b"{", b"{ "),
    ],
)
def test_another_spelling_is_refused(old: bytes, new: bytes) -> None:
    assert old in WRITTEN
    with pytest.raises(FormatError):
        parse_statement(WRITTEN.replace(old, new, 1))


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b'""', b"3"])
def test_a_statement_is_an_object(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_statement(data)


@given(offset=st.integers(0, len(WRITTEN) - 1), value=st.binary(min_size=1, max_size=4))
def test_any_change_gives_a_statement_or_a_format_error(offset: int, value: bytes) -> None:
    changed = WRITTEN[:offset] + value + WRITTEN[offset + len(value) :]
    try:
        assert write_statement(parse_statement(changed)) == changed
    except FormatError as error:
        assert error.what.startswith("statement")
