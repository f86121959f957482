# SPDX-License-Identifier: Apache-2.0
"""Key configurations: the RFC's example, the list form, and each way to be malformed."""

import dataclasses
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.exchange import config
from tests.wire.vectors import Hex, load
from wire.errors import FormatError, WireError
from wire.keyconfig import (
    CONFIG_MAX_BYTES,
    CONFIGS_MAX_BYTES,
    parse_key_config,
    parse_key_configs,
    target,
    write_key_config,
    write_key_configs,
)
from wire.suites import DEFAULT, PLAIN, PUBLIC_KEY_BYTES, Aead, Kdf, Kem, Suite

RFC = Hex(load("ohttp-rfc9458/rfc9458_appendix_a.json"))["key_config"]


def test_the_rfc_example_parses_and_writes_back() -> None:
    parsed = parse_key_config(RFC)
    assert (parsed.key_id, parsed.kem) == (1, Kem.X25519)
    assert parsed.suites == (
        PLAIN,
        Suite(Kem.X25519, Kdf.HKDF_SHA256, Aead.CHACHA20_POLY1305),
    )
    assert write_key_config(parsed) == RFC


@pytest.mark.parametrize("suite", [DEFAULT, PLAIN], ids=str)
@pytest.mark.parametrize("key_id", [0, 255])
def test_a_config_comes_back(suite: Suite, key_id: int) -> None:
    made = config(suite, key_id)
    assert parse_key_config(write_key_config(made)) == made


def test_a_pair_we_do_not_have_is_kept_but_no_suite() -> None:
    made = dataclasses.replace(config(), symmetric=((1, 0xFFFF), (0x11, 1), (1, 1)))
    parsed = parse_key_config(write_key_config(made))
    assert parsed.symmetric == made.symmetric
    assert parsed.suites == (DEFAULT,)


@pytest.mark.parametrize("size", range(len(RFC)))
def test_a_config_cut_anywhere_is_refused(size: int) -> None:
    with pytest.raises(FormatError, match="key config"):
        parse_key_config(RFC[:size])


def test_a_byte_after_the_config_is_refused() -> None:
    with pytest.raises(FormatError, match="1 bytes left over"):
        parse_key_config(RFC + b"\x00")


@pytest.mark.parametrize("length", [0, 2, 6])
def test_a_list_of_algorithms_that_is_not_whole_pairs_is_refused(length: int) -> None:
    at = 3 + PUBLIC_KEY_BYTES[Kem.X25519]
    with pytest.raises(FormatError, match="wanted pairs of 4 bytes"):
        parse_key_config(RFC[:at] + length.to_bytes(2, "big") + bytes(length))


def test_a_config_that_is_too_long_is_refused() -> None:
    with pytest.raises(FormatError, match="too long"):
        parse_key_config(bytes(CONFIG_MAX_BYTES + 1))


def test_one_config_with_an_unknown_kem_is_refused() -> None:
    with pytest.raises(FormatError, match="unknown KEM"):
        parse_key_config(RFC[:1] + b"\x00\x30" + RFC[3:])


def test_a_list_leaves_out_what_has_an_unknown_kem() -> None:
    unknown = b"\x05\x00\x30" + bytes(50)
    mine = write_key_configs((config(DEFAULT), config(PLAIN)))
    listed = len(unknown).to_bytes(2, "big") + unknown + mine
    assert parse_key_configs(listed) == (config(DEFAULT), config(PLAIN))


def test_an_empty_list_is_no_config() -> None:
    assert parse_key_configs(b"") == ()


def test_one_malformed_config_discards_the_whole_list() -> None:
    good = write_key_configs((config(PLAIN),))
    with pytest.raises(FormatError):
        parse_key_configs(good + b"\x00\x01\x07")


def test_a_list_that_is_too_long_is_refused() -> None:
    with pytest.raises(FormatError, match="too long"):
        parse_key_configs(bytes(CONFIGS_MAX_BYTES + 1))


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("key_id", 256, "too large"),
        ("key_id", -1, "too large"),
        ("public_key", b"", "wanted 1216 bytes"),
        ("symmetric", (), "at least one pair"),
        ("symmetric", ((1, 0x10000),), "too large"),
        ("symmetric", ((1, 1),) * 0x4000, "too large"),
        ("symmetric", ((1, 1),) * 1000, f"wanted {CONFIG_MAX_BYTES} bytes"),
    ],
)
def test_a_config_that_does_not_fit_is_not_written(field: str, value: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        write_key_config(dataclasses.replace(config(), **{field: value}))  # type: ignore[arg-type]  # one field at a time, by name


def test_the_target_is_the_hash_of_the_bytes() -> None:
    assert target(RFC) == hashlib.sha256(RFC).hexdigest()[:16]


@given(st.binary(max_size=100))
def test_any_bytes_give_a_config_or_a_wire_error(data: bytes) -> None:
    for parse in (parse_key_config, parse_key_configs):
        try:
            parse(data)
        except WireError:
            continue
