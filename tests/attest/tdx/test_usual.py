# SPDX-License-Identifier: Apache-2.0
"""Intel's one form of a certificate: what is read by it is what the strict reader reads."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError
from attest.limits import CERTIFICATE_MAX_BYTES
from attest.tdx.certificate import parse_pck, parse_pem
from attest.tdx.collateral import parse_collateral
from attest.tdx.quote import parse_quote
from attest.tdx.usual import usual_certificate
from attest.x509 import parse_certificate
from lab.mocktsm.der import element, integer, sequence
from lab.mocktsm.intel_pki import (
    PckValues,
    pair,
    pck_ca_certificate,
    pck_certificate,
    root_certificate,
    tcb_signer_certificate,
)
from tests.attest.tdx.evidence import bundles

REAL = [
    der
    for bundle in bundles().values()
    for der in (
        *parse_pem(parse_quote(bundle.quote).pck_chain.rstrip(b"\x00"), "chain"),
        parse_collateral(bundle.collateral).signed_tcb_info.signer.certificate.der,
    )
]
MADE = [pck_certificate(), pck_ca_certificate(), root_certificate(), tcb_signer_certificate()]
SGX = "1.2.840.113741.1.13.1"


@pytest.mark.parametrize("der", REAL)
def test_every_real_certificate_of_intels_has_the_form(der: bytes) -> None:
    assert usual_certificate(der) == parse_certificate(der)


def agrees(der: bytes) -> bool:
    """Whether it has the form; the strict reader must read the same then."""
    found = usual_certificate(der)
    if found is None:
        return False
    assert found == parse_certificate(der)
    return True


@pytest.mark.parametrize("der", [REAL[0], REAL[1], REAL[3]])
def test_a_changed_byte_is_read_alike_or_left_to_the_strict_reader(der: bytes) -> None:
    kept = sum(
        agrees(der[:at] + bytes([der[at] ^ change]) + der[at + 1 :])
        for at in range(len(der))
        for change in (1, 0x80)
    )
    assert 0 < kept < 2 * len(der)


@given(
    which=st.sampled_from(REAL + MADE),
    at=st.integers(0, 1300),
    gone=st.integers(0, 3),
    new=st.binary(max_size=3),
)
def test_any_change_is_read_alike_or_left_to_the_strict_reader(
    which: bytes, at: int, gone: int, new: bytes
) -> None:
    agrees(which[:at] + new + which[at + gone :])


def resized(der: bytes, old: bytes, new: bytes) -> bytes:
    """The certificate with one part that was changed, and every length around it right."""
    (at,) = (i for i in range(len(der)) if der.startswith(old, i))
    tbs = der[8 : 8 + int.from_bytes(der[6:8], "big")]
    if 8 <= at < 8 + len(tbs):
        return sequence(sequence(tbs.replace(old, new)), der[8 + len(tbs) :])
    return sequence(der[4 : 8 + len(tbs)], der[8 + len(tbs) :].replace(old, new))


PCK = REAL[0]
READ = parse_certificate(PCK)
SERIAL = integer(READ.serial)


@pytest.mark.parametrize(
    "der",
    [
        resized(PCK, SERIAL, integer(5)),
        resized(PCK, SERIAL, element(2, b"\xff" * 20)),
        resized(PCK, SERIAL, element(2, b"\x00" + bytes(19) + b"\x01")),
        resized(PCK, SERIAL, element(2, b"\x01" * 21)),
        resized(PCK, READ.subject, sequence(READ.subject[2:-1])),
        PCK + b"\x00",
        b"",
        bytes(CERTIFICATE_MAX_BYTES + 1),
    ],
)
def test_another_form_is_left_to_the_strict_reader(der: bytes) -> None:
    agrees(der)


def test_a_time_that_there_is_not_is_left_to_the_strict_reader() -> None:
    written = READ.not_before.strftime("%y%m%d%H%M%SZ").encode()
    assert PCK.count(written) == 1
    assert usual_certificate(PCK.replace(written, b"251332000000Z")) is None


def with_component(number: bytes) -> bytes:
    """A PCK whose first component has another INTEGER."""
    written = pair(f"{SGX}.2.1", integer(PckValues().cpu_svns[0]))
    values = PckValues().encoded
    assert values.count(written) == 1
    return pck_certificate(sgx=values.replace(written, pair(f"{SGX}.2.1", number)))


def test_a_component_is_read_in_its_one_spelling() -> None:
    for svn in (0, 1, 0x7F):
        assert parse_pck(with_component(integer(svn))).cpu_svns[0] == svn
    for number in (b"\x02\x01\x80", b"\x02\x01\xff", b"\x04\x01\x05"):
        with pytest.raises(FormatError):
            parse_pck(with_component(number))


def test_a_component_above_127_is_read() -> None:
    values = replace(PckValues(), cpu_svns=bytes([0x80, 0xFF, *range(14)]))
    assert parse_pck(pck_certificate(values)).cpu_svns == values.cpu_svns
