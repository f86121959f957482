# SPDX-License-Identifier: Apache-2.0
"""HPKE: the official vectors on both sides, and pyca's one-shot HPKE as a second implementation."""

from typing import Any

import pytest
from cryptography.hazmat.primitives import hpke as pyca
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from tests.wire.vectors import Hex, load
from wire.errors import OpenError
from wire.hpke import setup_recipient, setup_sender
from wire.kem import Encapsulation, PrivateKey, encap
from wire.suites import DEFAULT, PLAIN, Aead, Kdf, Kem, Suite

RFC9180 = load("hpke-rfc9180/base_x25519_slim.json")
XWING = load("hpke-pq/xwing.json")
VECTORS = [*RFC9180, *XWING]
PYCA_KDF = {
    Kdf.HKDF_SHA256: pyca.KDF.HKDF_SHA256,
    Kdf.HKDF_SHA384: pyca.KDF.HKDF_SHA384,
    Kdf.HKDF_SHA512: pyca.KDF.HKDF_SHA512,
}
PYCA_AEAD = {
    Aead.AES_128_GCM: pyca.AEAD.AES_128_GCM,
    Aead.AES_256_GCM: pyca.AEAD.AES_256_GCM,
    Aead.CHACHA20_POLY1305: pyca.AEAD.CHACHA20_POLY1305,
}
ALL_SUITES = [Suite(kem, kdf, aead) for kem in Kem for kdf in Kdf for aead in Aead]


def name(vector: dict[str, Any]) -> str:
    return "{kem_id:#x}-{kdf_id}-{aead_id}".format(**vector)


def suite_of(vector: dict[str, Any]) -> Suite:
    return Suite(Kem(vector["kem_id"]), Kdf(vector["kdf_id"]), Aead(vector["aead_id"]))


def number(vector: dict[str, Any], encryption: dict[str, Any]) -> int:
    """Sequence number of an entry: its nonce XOR the base nonce."""
    return int(encryption["nonce"], 16) ^ int(vector["base_nonce"], 16)


def test_the_vector_files_hold_what_their_readmes_say() -> None:
    assert (len(RFC9180), len(XWING)) == (6, 1)


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_the_recipient_opens_and_exports_as_the_vector_says(vector: dict[str, Any]) -> None:
    values, suite = Hex(vector), suite_of(vector)
    key = PrivateKey.from_seed(suite.kem, values["skRm"])
    assert key.public_bytes == values["pkRm"]
    secret = key.decap(values["enc"])
    assert secret == values["shared_secret"]
    sender = setup_sender(suite, Encapsulation(values["enc"], secret), values["info"])
    recipient = setup_recipient(suite, secret, values["info"])
    entries = {number(vector, entry): Hex(entry) for entry in vector["encryptions"]}
    for sequence in range(max(entries) + 1):
        if sequence in entries:
            entry = entries[sequence]
            assert sender.seal(entry["pt"], entry["aad"]) == entry["ct"]
            assert recipient.open(entry["ct"], entry["aad"]) == entry["pt"]
        else:
            assert recipient.open(sender.seal(b"between")) == b"between"
    for export in vector["exports"]:
        wanted = bytes.fromhex(export["exported_value"])
        context = bytes.fromhex(export["exporter_context"])
        assert sender.export(context, export["L"]) == wanted
        assert recipient.export(context, export["L"]) == wanted


@pytest.mark.parametrize("vector", RFC9180, ids=name)
def test_the_sender_encapsulates_as_the_vector_says(vector: dict[str, Any]) -> None:
    values = Hex(vector)
    ephemeral = X25519PrivateKey.from_private_bytes(values["skEm"])
    made = encap(Kem.X25519, values["pkRm"], ephemeral=ephemeral)
    assert made == Encapsulation(values["enc"], values["shared_secret"])


def pyca_suite(suite: Suite) -> pyca.Suite:
    kem = {Kem.X25519: pyca.KEM.X25519, Kem.XWING: pyca.KEM.MLKEM768_X25519}[suite.kem]
    return pyca.Suite(kem, PYCA_KDF[suite.kdf], PYCA_AEAD[suite.aead])


@pytest.mark.parametrize("suite", ALL_SUITES, ids=str)
def test_pyca_opens_what_we_seal(suite: Suite) -> None:
    x25519 = X25519PrivateKey.generate()
    mlkem = MLKEM768PrivateKey.generate()
    hybrid = pyca.MLKEM768X25519PrivateKey(mlkem, x25519)
    raw = x25519.public_key().public_bytes_raw()
    public = raw if suite.kem is Kem.X25519 else mlkem.public_key().public_bytes_raw() + raw
    made = encap(suite.kem, public)
    sealed = setup_sender(suite, made, b"info").seal(b"to pyca")
    key = x25519 if suite.kem is Kem.X25519 else hybrid
    assert pyca_suite(suite).decrypt(made.enc + sealed, key, info=b"info") == b"to pyca"


@pytest.mark.parametrize("suite", ALL_SUITES, ids=str)
def test_we_open_what_pyca_seals(suite: Suite) -> None:
    key = PrivateKey.generate(suite.kem)
    public = key.public_bytes
    theirs: Any
    if suite.kem is Kem.X25519:
        theirs = X25519PublicKey.from_public_bytes(public)
    else:
        theirs = pyca.MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(public[:-32]),
            X25519PublicKey.from_public_bytes(public[-32:]),
        )
    sealed = pyca_suite(suite).encrypt(b"from pyca", theirs, info=b"info")
    secret = key.decap(sealed[: suite.enc_bytes])
    assert setup_recipient(suite, secret, b"info").open(sealed[suite.enc_bytes :]) == b"from pyca"


@pytest.mark.parametrize("suite", [DEFAULT, PLAIN], ids=str)
def test_a_failed_open_does_not_spoil_the_context(suite: Suite) -> None:
    made = Encapsulation(b"", bytes(32))
    sender, recipient = setup_sender(suite, made, b""), setup_recipient(suite, bytes(32), b"")
    first, second = sender.seal(b"first"), sender.seal(b"second")
    for wrong in (second, b"", first[:-1], first + b"\x00"):
        with pytest.raises(OpenError):
            recipient.open(wrong)
    assert recipient.open(first) == b"first"
    with pytest.raises(OpenError):
        recipient.open(first)
    assert recipient.open(second) == b"second"


@pytest.mark.parametrize("what", ["secret", "info", "aad"])
def test_another_input_does_not_open(what: str) -> None:
    sealed = setup_sender(PLAIN, Encapsulation(b"", bytes(32)), b"info").seal(b"text", b"aad")
    secret = b"\x01" * 32 if what == "secret" else bytes(32)
    recipient = setup_recipient(PLAIN, secret, b"other" if what == "info" else b"info")
    with pytest.raises(OpenError) as caught:
        recipient.open(sealed, b"other" if what == "aad" else b"aad")
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_shared_secret_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="wanted 32 bytes"):
        setup_recipient(DEFAULT, bytes(size), b"")
