# SPDX-License-Identifier: Apache-2.0
"""ID blocks: the bytes that are signed, and the digests that a report shows of the keys.

The values of the keys with the secrets 7 and 8 are those of snp-create-id-block in sev-snp-measure
0.0.13 (IBM, Apache-2.0).
"""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    derive_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import FormatError, UnsupportedError
from attest.snp.launch.id_block import (
    ID_AUTH_BYTES,
    PUBLIC_KEY_BYTES,
    SIGNATURE_BYTES,
    IdBlock,
    key_digest,
    parse_id_block,
    write_id_auth,
    write_public_key,
    write_signature,
)

ID_KEY = derive_private_key(7, SECP384R1()).public_key()
AUTHOR_KEY = derive_private_key(8, SECP384R1()).public_key()
BLOCK = IdBlock(
    launch_digest=bytes(range(48)),
    family_id=bytes(16),
    image_id=bytes(16),
    guest_svn=0,
    policy=0x30000,
)
ONE_AND_TWO = bytes.fromhex("3006020101020102")


def test_the_block_is_the_one_of_sev_snp_measure() -> None:
    assert BLOCK.write() == bytes(range(48)) + bytes(32) + b"\1" + bytes(9) + b"\3" + bytes(5)


def test_each_field_has_its_place() -> None:
    block = replace(BLOCK, family_id=b"f" * 16, image_id=b"i" * 16, guest_svn=0x01020304)
    assert block.write()[48:88] == b"f" * 16 + b"i" * 16 + b"\1\0\0\0" + b"\4\3\2\1"


def test_a_block_is_read_back() -> None:
    assert parse_id_block(BLOCK.write()) == BLOCK


@pytest.mark.parametrize(
    "change",
    [
        {"launch_digest": bytes(47)},
        {"family_id": bytes(17)},
        {"image_id": b""},
        {"guest_svn": 1 << 32},
        {"policy": -1},
        {"policy": 1 << 64},
    ],
)
def test_a_block_cannot_hold(change: dict[str, bytes | int]) -> None:
    with pytest.raises(ValueError, match="wanted 48, 16 and 16 bytes, a u32 and a u64"):
        replace(BLOCK, **change)  # type: ignore[arg-type]  # one wrong value each


@pytest.mark.parametrize("policy", [0, (1 << 64) - 1])
def test_a_policy_has_64_bits(policy: int) -> None:
    block = replace(BLOCK, policy=policy)
    assert parse_id_block(block.write()) == block


@pytest.mark.parametrize("size", [95, 97])
def test_a_block_has_96_bytes(size: int) -> None:
    with pytest.raises(FormatError, match=f"wanted 96 bytes, got {size}"):
        parse_id_block(BLOCK.write().ljust(size, b"\0")[:size])


def test_a_block_of_another_version_is_refused() -> None:
    data = bytearray(BLOCK.write())
    data[80] = 2
    with pytest.raises(UnsupportedError, match="wanted version 1, got 2"):
        parse_id_block(bytes(data))


@given(st.binary(max_size=120))
def test_any_bytes_are_a_block_or_a_format_error(data: bytes) -> None:
    try:
        assert parse_id_block(data).write() == data
    except FormatError as error:
        assert error.problem


def test_the_digests_of_the_keys_are_those_of_sev_snp_measure() -> None:
    assert key_digest(ID_KEY).hex() == (
        "5a567a369cd97a94c458ab1d41654efc23fd320e1472358c"
        "5f9f5b5df4256e78e38a9e3494cc2426bc9f9cd1bca63d1d"
    )
    assert key_digest(AUTHOR_KEY).hex() == (
        "5f86b1f11b6d5565ffae74d03321ecffdd41eeddc7095841"
        "7e6276b59d1bec0342fc3ddbbad6197aa0f8621bcea97e15"
    )


def test_a_key_on_another_curve_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match="wanted P-384, got secp256r1"):
        key_digest(derive_private_key(7, SECP256R1()).public_key())


def test_a_signature_is_two_numbers_from_the_small_end() -> None:
    assert write_signature(ONE_AND_TWO) == (b"\1" + bytes(71) + b"\2" + bytes(SIGNATURE_BYTES - 73))


@given(st.binary(max_size=120))
def test_any_bytes_are_a_signature_or_a_format_error(data: bytes) -> None:
    try:
        assert len(write_signature(data)) == SIGNATURE_BYTES
    except FormatError as error:
        assert error.problem


@pytest.mark.parametrize("der", [b"", bytes(105), bytes.fromhex("30060201ff020102")])
def test_what_is_no_signature_is_refused(der: bytes) -> None:
    with pytest.raises(FormatError, match="ID signature"):
        write_signature(der)


def test_the_page_has_each_part_at_its_place() -> None:
    page = write_id_auth(ID_KEY, ONE_AND_TWO, AUTHOR_KEY, ONE_AND_TWO)
    assert len(page) == ID_AUTH_BYTES
    assert page[:0x40] == b"\1\0\0\0\1" + bytes(0x3B)
    assert page[0x40:0x240] == page[0x680:0x880] == write_signature(ONE_AND_TWO)
    assert page[0x240:0x644] == write_public_key(ID_KEY)
    assert page[0x880:0xC84] == write_public_key(AUTHOR_KEY)
    assert not any(page[0x644:0x680] + page[0xC84:])


def test_without_an_author_its_parts_are_zero() -> None:
    page = write_id_auth(ID_KEY, ONE_AND_TWO)
    assert page[:8] == b"\1" + bytes(7)
    assert page[0x240 : 0x240 + PUBLIC_KEY_BYTES] == write_public_key(ID_KEY)
    assert not any(page[0x680:])


def test_an_author_key_comes_with_its_signature() -> None:
    with pytest.raises(ValueError, match="come together"):
        write_id_auth(ID_KEY, ONE_AND_TWO, AUTHOR_KEY)
