# SPDX-License-Identifier: Apache-2.0
"""The two KEMs: agreement, what must be refused, and what a key shows of itself."""

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from wire.errors import FormatError, OpenError
from wire.kem import PrivateKey, encap
from wire.suites import ENC_BYTES, PUBLIC_KEY_BYTES, Kem

# Points of small order on Curve25519 (RFC 7748 §6.1 wants their all-zero result refused).
LOW_ORDER = (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)


@pytest.mark.parametrize("kem", Kem)
def test_both_sides_get_the_same_secret(kem: Kem) -> None:
    key = PrivateKey.generate(kem)
    made = encap(kem, key.public_bytes)
    assert len(key.public_bytes) == PUBLIC_KEY_BYTES[kem]
    assert len(made.enc) == ENC_BYTES[kem]
    assert key.decap(made.enc) == made.shared_secret
    assert len(made.shared_secret) == 32


@pytest.mark.parametrize("kem", Kem)
def test_each_encapsulation_is_new(kem: Kem) -> None:
    public = PrivateKey.from_seed(kem, bytes(32)).public_bytes
    assert encap(kem, public).enc != encap(kem, public).enc


@pytest.mark.parametrize("kem", Kem)
def test_another_key_gets_another_secret(kem: Kem) -> None:
    made = encap(kem, PrivateKey.generate(kem).public_bytes)
    assert PrivateKey.generate(kem).decap(made.enc) != made.shared_secret


@pytest.mark.parametrize("kem", Kem)
@pytest.mark.parametrize("change", [-1, 1])
def test_an_enc_of_another_length_does_not_open(kem: Kem, change: int) -> None:
    key = PrivateKey.generate(kem)
    with pytest.raises(OpenError):
        key.decap(bytes(ENC_BYTES[kem] + change))


@pytest.mark.parametrize("kem", Kem)
@pytest.mark.parametrize("point", LOW_ORDER)
def test_an_enc_of_small_order_does_not_open(kem: Kem, point: str) -> None:
    key = PrivateKey.generate(kem)
    enc = bytes(ENC_BYTES[kem] - 32) + bytes.fromhex(point)
    with pytest.raises(OpenError) as caught:
        key.decap(enc)
    assert caught.value.__cause__ is None
    assert caught.value.args == OpenError().args


@pytest.mark.parametrize("kem", Kem)
@pytest.mark.parametrize("point", LOW_ORDER)
def test_a_public_key_of_small_order_is_refused(kem: Kem, point: str) -> None:
    good = PrivateKey.generate(kem).public_bytes
    with pytest.raises(FormatError, match="public key: not an acceptable value"):
        encap(kem, good[:-32] + bytes.fromhex(point))


def test_an_mlkem_public_key_that_is_not_reduced_is_refused() -> None:
    good = PrivateKey.generate(Kem.XWING).public_bytes
    with pytest.raises(FormatError, match="not an acceptable value"):
        encap(Kem.XWING, b"\xff" * 3 + good[3:])


@pytest.mark.parametrize("kem", Kem)
@pytest.mark.parametrize("change", [-1, 1])
def test_a_public_key_of_another_length_is_refused(kem: Kem, change: int) -> None:
    with pytest.raises(FormatError, match=f"wanted {PUBLIC_KEY_BYTES[kem]} bytes"):
        encap(kem, bytes(PUBLIC_KEY_BYTES[kem] + change))


@pytest.mark.parametrize("size", [31, 33])
def test_a_seed_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="wanted 32 bytes"):
        PrivateKey.from_seed(Kem.XWING, bytes(size))


@pytest.mark.parametrize("kem", Kem)
def test_a_private_key_is_held_as_openssl_objects_only(kem: Kem) -> None:
    key = PrivateKey.generate(kem)
    held = [value for name, value in vars(key._key).items() if "public" not in name]
    assert held
    assert all(isinstance(value, X25519PrivateKey | MLKEM768PrivateKey) for value in held)


def test_an_encapsulation_does_not_show_its_secret() -> None:
    made = encap(Kem.X25519, PrivateKey.generate(Kem.X25519).public_bytes)
    assert repr(made.shared_secret) not in repr(made)
