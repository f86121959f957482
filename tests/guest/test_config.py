# SPDX-License-Identifier: Apache-2.0
"""The one document by which a guest is configured: closed, in range, and named by its digest."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.config import CONFIG_MAX_BYTES, TARGETS_MAX, ConfigError, parse_config
from guest.settings import (
    AnswerSettings,
    GateSettings,
    Kem,
    KeySettings,
    ModelSettings,
    StaplingSettings,
    Variant,
)
from guestapi import TARGETS_MAX as TARGETS_MAX_OF_THE_SERVICE
from tests.guest.documents import DOCUMENT, document

RANGES = {
    "gate__slots": (1, 64),
    "gate__waiting_max": (0, 1024),
    "gate__request_max_bytes": (4096, 1 << 20),
    "gate__idle_max_s": (1, 60),
    "gate__deadline_s": (1, 600),
    "keys__life_s": (600, 3600),
    "keys__overlap_s": (1, 900),
    "keys__grace_s": (0, 600),
    "keys__replay_max": (1, 1_000_000),
    "model__context_tokens": (1024, 32768),
    "model__threads": (1, 64),
    "answer__tick_ms": (50, 2000),
}
SCHEMA_RANGES = RANGES | {
    "keys__life_s": (2, 3600),
    "keys__overlap_s": (1, 1800),
    "answer__tick_ms": (10, 2000),
}
FIELDS = [
    *(
        f"{section}__{name}"
        for section in ("gate", "keys", "model", "answer", "stapling")
        for name in DOCUMENT[section]
    ),
    *DOCUMENT,
]


def test_a_document_becomes_settings() -> None:
    read = parse_config(document())
    assert read.variant is Variant.MOCK
    assert read.gate == GateSettings(
        slots=2, waiting_max=8, request_max_bytes=266240, idle_max_s=10, deadline_s=120
    )
    assert read.keys == KeySettings(
        kems=(Kem.X_WING, Kem.X25519), life_s=1800, overlap_s=300, grace_s=120, replay_max=100000
    )
    assert read.model == ModelSettings(digest=b"\xab" * 32, context_tokens=4096, threads=1)
    assert read.answer == AnswerSettings(tick_ms=200)
    assert read.stapling == StaplingSettings(endorsements=None)


def test_endorsements_are_a_file_somewhere() -> None:
    path = "/run/operator/endorsements.json"
    read = parse_config(document(stapling__endorsements=path))
    assert read.stapling == StaplingSettings(endorsements=path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "bundle",
        "./bundle",
        "/a/../b",
        "/a/",
        "/a//b",
        "//a",
        "/a\x07",
        "/\xfc",
        "/" + 255 * "a",
    ],
)
def test_a_path_has_one_spelling(path: str) -> None:
    with pytest.raises(ConfigError, match="endorsements"):
        parse_config(document(stapling__endorsements=path))


def test_the_digest_is_of_the_exact_bytes() -> None:
    written = document()
    commented = b"# the same, said differently\n" + written
    assert parse_config(written).digest == hashlib.sha256(written).digest()
    assert parse_config(commented).digest == hashlib.sha256(commented).digest()
    assert parse_config(written).gate == parse_config(commented).gate


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize("field", RANGES)
def test_the_ends_of_a_range_are_in_it(field: str, end: int) -> None:
    parse_config(document(**{field: RANGES[field][end]}))


@pytest.mark.parametrize("beyond", [0, 1])
@pytest.mark.parametrize("field", SCHEMA_RANGES)
def test_out_of_range_is_refused_by_name(field: str, beyond: int) -> None:
    value = SCHEMA_RANGES[field][beyond] + (1 if beyond else -1)
    with pytest.raises(ConfigError, match=field.replace("__", r"\.")):
        parse_config(document(**{field: value}))


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_left_out_is_refused(field: str) -> None:
    with pytest.raises(ConfigError, match=field.rsplit("__", maxsplit=1)[-1]):
        parse_config(document(**{field: None}))


@pytest.mark.parametrize("section", ["", "gate__", "keys__", "model__", "answer__"])
def test_an_unknown_field_is_refused(section: str) -> None:
    with pytest.raises(ConfigError, match="debug"):
        parse_config(document(**{f"{section}debug": "on"}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", "sealroom-guest/2"),
        ("variant", "debug"),
        ("gate__slots", "two"),
        ("gate__slots", "02"),
        ("gate__slots", "+2"),
        ("gate", []),
        ("keys__kems", "x-wing"),
        ("keys__kems", ["x448"]),
        ("keys__kems", []),
        ("keys__kems", ["x-wing", "x-wing"]),
        ("model__digest", "ab" * 31),
        ("model__digest", "AB" * 32),
        ("model__digest", "zz" * 32),
    ],
)
def test_another_value_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=field.replace("__", r"\.")):
        parse_config(document(**{field: value}))


def test_the_overlap_is_at_most_half_of_a_life() -> None:
    parse_config(document(keys__life_s=600, keys__overlap_s=300))
    with pytest.raises(ConfigError, match="overlap_s"):
        parse_config(document(keys__life_s=600, keys__overlap_s=301))


def test_more_living_targets_than_the_service_may_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="targets"):
        parse_config(document(keys__life_s=2, keys__overlap_s=1, keys__grace_s=600))


def test_the_service_may_name_as_many_targets_as_there_can_be() -> None:
    assert TARGETS_MAX == TARGETS_MAX_OF_THE_SERVICE


def test_an_answer_of_more_records_than_a_client_opens_is_refused() -> None:
    with pytest.raises(ConfigError, match="tick_ms"):
        parse_config(document(gate__deadline_s=600, answer__tick_ms=10))


def test_a_document_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(ConfigError, match=str(CONFIG_MAX_BYTES)):
        parse_config(document() + b"#" * CONFIG_MAX_BYTES)


@pytest.mark.parametrize(
    "written", [b"", b"[]", b"\xff", b"a: &x 1\nb: *x\n", b"a: 1\na: 1\n", b"--- !!python/none\n"]
)
def test_what_is_no_such_document_is_refused(written: bytes) -> None:
    with pytest.raises(ConfigError):
        parse_config(written)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_configuration_or_refused(written: bytes) -> None:
    with pytest.raises(ConfigError):
        parse_config(written)
