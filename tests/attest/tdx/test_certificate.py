# SPDX-License-Identifier: Apache-2.0
"""The PCK certificate and its chain: one form, and nothing besides."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError
from attest.der import BOOLEAN, INTEGER, OCTET_STRING
from attest.tdx.certificate import (
    CHAIN_MAX_BYTES,
    parse_pck,
    parse_pck_ca,
    parse_pck_chain,
    parse_pem,
    parse_tcb_signer,
)
from attest.tdx.roots import SPKI_P256, Role, p256_key, parse_holder
from lab.mocktsm.der import element, extension, integer, sequence
from lab.mocktsm.intel_pki import (
    PCK,
    PLATFORM_CA,
    PROCESSOR_CA,
    ROOT,
    TCB_SIGNER,
    PckValues,
    certificate,
    pair,
    pck_ca_certificate,
    pck_certificate,
    pem,
    root_certificate,
    tcb_signer_certificate,
)
from lab.mocktsm.tdx_quote import pck_chain

SGX = "1.2.840.113741.1.13.1"
VALUES = PckValues()
CERTIFICATE = pck_certificate()


def refused(der: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_pck(der)
    return str(caught.value)


def with_tcb(*pairs: bytes) -> bytes:
    """An SGX extension whose TCB holds these pairs."""
    octets = {1: 16, 3: 2, 4: 6}
    parts = [pair(f"{SGX}.{n}", element(OCTET_STRING, bytes(size))) for n, size in octets.items()]
    return sequence(
        parts[0],
        pair(f"{SGX}.2", sequence(*pairs)),
        *parts[1:],
        pair(f"{SGX}.5", element(0x0A, b"\x00")),
    )


def tcb_pairs() -> list[bytes]:
    svns = [pair(f"{SGX}.2.{n}", integer(n)) for n in range(1, 17)]
    last = pair(f"{SGX}.2.18", element(OCTET_STRING, bytes(16)))
    return [*svns, pair(f"{SGX}.2.17", integer(0x1234)), last]


def test_the_extension_is_read() -> None:
    pck = parse_pck(CERTIFICATE)
    assert (pck.cpu_svns, pck.pce_svn) == (VALUES.cpu_svns, VALUES.pce_svn)
    assert (pck.ppid, pck.pce_id, pck.fmspc) == (VALUES.ppid, VALUES.pce_id, VALUES.fmspc)
    assert pck.holder.certificate.der == CERTIFICATE


def test_a_certificate_of_a_single_package_platform_is_read() -> None:
    values = replace(VALUES, instance=None)
    assert parse_pck(pck_certificate(values, ca=PROCESSOR_CA)).fmspc == VALUES.fmspc


def test_components_are_read_by_their_numbers_in_any_order() -> None:
    pck = parse_pck(pck_certificate(sgx=with_tcb(*reversed(tcb_pairs()))))
    assert (pck.cpu_svns, pck.pce_svn) == (bytes(range(1, 17)), 0x1234)


@pytest.mark.parametrize(
    ("sgx", "words"),
    [
        (b"", "the SGX extension is missing"),
        (with_tcb(*tcb_pairs()[1:]), "TCB is not complete"),
        (with_tcb(*tcb_pairs(), tcb_pairs()[0]), "stands twice"),
        (with_tcb(pair(f"{SGX}.2.19", integer(0)), *tcb_pairs()), "is unknown"),
        (with_tcb(pair(f"{SGX}.2.1", integer(0x100)), *tcb_pairs()[1:]), "wanted at most 255"),
        (with_tcb(pair(f"{SGX}.2.1", element(INTEGER, b"\x80")), *tcb_pairs()[1:]), "negative"),
        (with_tcb(pair(f"{SGX}.2.1", element(INTEGER, b"\0\1")), *tcb_pairs()[1:]), "minimal"),
        (with_tcb(pair(f"{SGX}.2.1", element(BOOLEAN, b"\xff")), *tcb_pairs()[1:]), "tag"),
        (VALUES.encoded + b"\x00", "length is missing"),
        (sequence(pair(f"{SGX}.1", element(OCTET_STRING, bytes(16)))), "not complete"),
        (replace(VALUES, fmspc=bytes(5)).encoded, "has 5 bytes"),
        (replace(VALUES, pce_id=bytes(3)).encoded, "has 3 bytes"),
        (replace(VALUES, ppid=bytes(15)).encoded, "has 15 bytes"),
        (replace(VALUES, instance=bytes(17)).encoded, "has 17 bytes"),
        (sequence(pair(f"{SGX}.8", integer(1))), "is unknown"),
    ],
)
def test_another_extension_is_refused(sgx: bytes, words: str) -> None:
    assert words in refused(pck_certificate(sgx=sgx))


def test_a_certificate_of_another_role_or_name_is_refused() -> None:
    assert "not those of its role" in refused(pck_certificate(role=Role.PCK_CA))
    assert "subject" in refused(pck_certificate(subject=TCB_SIGNER))
    for parse, der in (
        (parse_pck_ca, certificate(ROOT, PCK, Role.PCK_CA)),
        (parse_pck_ca, certificate(ROOT, PLATFORM_CA, Role.END)),
        (parse_tcb_signer, certificate(ROOT, PCK, Role.END)),
        (parse_tcb_signer, certificate(ROOT, TCB_SIGNER, Role.ROOT)),
    ):
        with pytest.raises(FormatError):
            parse(der)


def test_an_unknown_critical_extension_is_refused() -> None:
    der = certificate(ROOT, TCB_SIGNER, Role.END, extra=extension("2.5.29.30", b"", critical=True))
    with pytest.raises(FormatError, match="critical extensions"):
        parse_tcb_signer(der)


def test_a_point_is_a_key_only_where_the_algorithm_says_so() -> None:
    """Coordinates that happen to read as a SEQUENCE of the right length are no key."""
    for last in range(16):
        try:
            found = decompress(b"\x02\x30\x3e" + bytes(29) + bytes([last]))
        except ValueError:
            continue
        der = certificate(ROOT, TCB_SIGNER, Role.END, spki=found)
        with pytest.raises(FormatError, match="point on P-256"):
            parse_holder(der, Role.END, "test")
        return
    raise AssertionError("no such point was found")


def decompress(point: bytes) -> bytes:
    """The coordinates of a compressed point on P-256."""
    key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


@pytest.mark.parametrize("spki", [sequence(), sequence(b"\x05\x00") * 9])
def test_another_kind_of_key_is_refused(spki: bytes) -> None:
    with pytest.raises(FormatError):
        parse_holder(certificate(ROOT, TCB_SIGNER, Role.END, spki=spki), Role.END, "test")


def test_a_point_off_the_curve_is_refused() -> None:
    der = certificate(ROOT, TCB_SIGNER, Role.END, spki=SPKI_P256 + b"\x01" * 64)
    with pytest.raises(FormatError, match="point on P-256"):
        parse_tcb_signer(der)
    with pytest.raises(ValueError):
        p256_key(b"\x01" * 64)


def test_a_chain_is_three_certificates() -> None:
    chain = parse_pck_chain(pck_chain().encode() + bytes(3))
    assert chain.root == root_certificate()
    assert chain.ca.certificate.der == pck_ca_certificate()
    for ders in (
        (),
        (CERTIFICATE,),
        (CERTIFICATE, pck_ca_certificate(), *2 * (root_certificate(),)),
    ):
        with pytest.raises(FormatError, match="wanted 3 certificates"):
            parse_pck_chain(pem(*ders).encode() if ders else b"")


PEM = pem(tcb_signer_certificate()).encode()


def test_pem_is_read_with_either_end_of_line() -> None:
    assert parse_pem(PEM, "test") == [tcb_signer_certificate()]
    assert parse_pem(PEM.replace(b"\n", b"\r\n"), "test") == [tcb_signer_certificate()]
    assert parse_pem(PEM.rstrip(b"\n"), "test") == [tcb_signer_certificate()]


@pytest.mark.parametrize(
    "data",
    [
        b" " + PEM,
        PEM + b"\n",
        PEM + b"x",
        PEM.replace(b"-----BEGIN", b"----BEGIN"),
        PEM.replace(b"CERTIFICATE", b"PUBLIC KEY"),
        PEM.replace(b"\n-----END", b"=\n-----END"),
        PEM.replace(b"M", b"!", 1),
        PEM.replace(b"\n", b"\n\n", 1),
        PEM.replace(b"\n-----END", b"\n\n-----END"),
        PEM.replace(b"\n-----END", b"\r\r\n-----END"),
        b"-----BEGIN CERTIFICATE-----\nQR==\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nQ\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        pem(bytes(4097)).encode(),
        PEM * (CHAIN_MAX_BYTES // len(PEM) + 1),
    ],
)
def test_other_pem_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_pem(data, "test")


@given(data=st.binary(max_size=300))
def test_any_bytes_give_certificates_or_a_format_error(data: bytes) -> None:
    try:
        ders = parse_pem(data, "test")
    except FormatError:
        return
    assert all(
        base64.b64encode(der) in data.replace(b"\r", b"").replace(b"\n", b"") for der in ders
    )


@given(offset=st.integers(0, len(CERTIFICATE) - 1), value=st.binary(min_size=1, max_size=4))
def test_any_change_gives_a_pck_or_a_format_error(offset: int, value: bytes) -> None:
    changed = CERTIFICATE[:offset] + value + CERTIFICATE[offset + len(value) :]
    try:
        assert parse_pck(changed).holder.certificate.der == changed
    except FormatError as error:
        assert error.what.startswith("PCK certificate")
