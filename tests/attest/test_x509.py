# SPDX-License-Identifier: Apache-2.0
"""X.509: what a certificate and a revocation list must be, against an independent parser."""

from __future__ import annotations

import base64
import warnings

import pytest
from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError
from attest.limits import CERTIFICATE_MAX_BYTES, CRL_MAX_BYTES
from attest.snp.amd_certificates import CERTIFICATES
from attest.snp.product import ProductLine
from attest.x509 import common_name, parse_certificate, parse_crl
from lab.mocktsm import MockSnp
from lab.mocktsm.der import bits, element, extension, integer, sequence, utc_time
from lab.mocktsm.pki import VCEK_LIFE, ark, crl
from tests.attest.snp.evidence import load

VEK = MockSnp().certificate
CRL = crl(ProductLine.MILAN, revoked=(0x10001, 5))
NAME = ark(ProductLine.MILAN).name
ALGORITHM = sequence(b"\x06\x01\x2a")
EXTENSIONS = element(0xA3, sequence(extension("1.2.3", b"")))


def certificate(**changes: bytes) -> bytes:
    """A certificate without a real key or signature."""
    parts = {
        "version": element(0xA0, integer(2)),
        "serial": integer(0),
        "algorithm": ALGORITHM,
        "issuer": NAME,
        "validity": sequence(*map(utc_time, VCEK_LIFE)),
        "subject": NAME,
        "spki": sequence(),
        "extensions": EXTENSIONS,
    } | {name: value for name, value in changes.items() if name != "outer"}
    return sequence(sequence(*parts.values()), changes.get("outer", ALGORITHM), bits(b"signature"))


def revocations(**changes: bytes) -> bytes:
    """A revocation list without a real signature."""
    parts = {
        "version": integer(1),
        "algorithm": ALGORITHM,
        "issuer": NAME,
        "this_update": utc_time(VCEK_LIFE[0]),
        "next_update": utc_time(VCEK_LIFE[1]),
        "revoked": sequence(sequence(integer(3), utc_time(VCEK_LIFE[0]))),
        "extensions": element(0xA0, sequence(extension("2.5.29.20", integer(1)))),
    } | {name: value for name, value in changes.items() if name != "outer"}
    return sequence(sequence(*parts.values()), changes.get("outer", ALGORITHM), bits(b"signature"))


def limited(oid: str, *, critical: bool = False) -> bytes:
    """A revocation list with one more extension."""
    more = extension(oid, integer(1), critical=critical)
    number = extension("2.5.29.20", integer(1))
    return revocations(extensions=element(0xA0, sequence(number, more)))


def pinned() -> list[bytes]:
    return [base64.b64decode(text) for texts in CERTIFICATES.values() for text in texts]


@pytest.mark.parametrize("der", [*pinned(), VEK, load("turin-virtee-vcek/vek.der")])
def test_it_agrees_with_an_independent_parser(der: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # serial number 0
        wanted = x509.load_der_x509_certificate(der)
        serial = wanted.serial_number
    got = parse_certificate(der)
    assert got.serial == serial
    assert (got.tbs, got.signature) == (wanted.tbs_certificate_bytes, wanted.signature)
    assert (got.issuer, got.subject) == (
        wanted.issuer.public_bytes(),
        wanted.subject.public_bytes(),
    )
    assert got.not_before == wanted.not_valid_before_utc
    assert got.not_after == wanted.not_valid_after_utc
    assert list(got.extensions) == [part.oid.dotted_string for part in wanted.extensions]


@pytest.mark.parametrize("der", [CRL, load("crl/milan.der"), load("crl/genoa.der")])
def test_it_agrees_with_an_independent_parser_about_crls(der: bytes) -> None:
    wanted, got = x509.load_der_x509_crl(der), parse_crl(der)
    assert (got.tbs, got.signature) == (wanted.tbs_certlist_bytes, wanted.signature)
    assert got.revoked == {entry.serial_number for entry in wanted}
    assert (got.this_update, got.next_update) == (wanted.last_update_utc, wanted.next_update_utc)


def test_the_parts_are_read() -> None:
    assert parse_certificate(certificate()).subject == NAME
    assert parse_crl(revocations()).revoked == {3}


@pytest.mark.parametrize(
    "der",
    [
        certificate(version=b""),
        certificate(version=element(0xA0, integer(1))),
        certificate(serial=integer(2**160)),
        certificate(outer=sequence(b"\x06\x01\x2b")),
        certificate(extensions=b""),
        certificate(extensions=element(0xA1, bits(b"unique"))),
        certificate(extensions=EXTENSIONS + EXTENSIONS),
        certificate(
            extensions=element(
                0xA3, sequence(extension("1.2.3", b""), extension("1.2.3", b"other"))
            )
        ),
        certificate(
            extensions=element(0xA3, sequence(*(extension(f"1.2.{n}", b"") for n in range(33))))
        ),
        certificate(extensions=element(0xA3, sequence(sequence(b"\x06\x01\x2a")))),
        certificate(extensions=element(0xA3, sequence(sequence(*4 * (integer(1),))))),
        certificate(validity=sequence(utc_time(VCEK_LIFE[0]))),
        certificate() + b"\x00",
        certificate(spki=sequence(bytes(CERTIFICATE_MAX_BYTES))),
    ],
)
def test_another_form_is_no_certificate(der: bytes) -> None:
    with pytest.raises(FormatError):
        parse_certificate(der)


@pytest.mark.parametrize(
    "der",
    [
        revocations(version=b""),
        revocations(version=integer(0)),
        revocations(outer=sequence(b"\x06\x01\x2b")),
        revocations(next_update=b""),
        revocations(extensions=b""),
        limited("2.5.29.27", critical=True),
        limited("2.5.29.27"),
        limited("2.5.29.28"),
        limited("1.2.3", critical=True),
        revocations(this_update=b"", next_update=b""),
        revocations(serial=integer(0)),
        revocations() + b"\x00",
        revocations(revoked=sequence(bytes(CRL_MAX_BYTES))),
        revocations(revoked=element(0x31, sequence(integer(3), utc_time(VCEK_LIFE[0])))),
    ],
)
def test_another_form_is_no_crl(der: bytes) -> None:
    with pytest.raises(FormatError):
        parse_crl(der)


DAY = utc_time(VCEK_LIFE[0])
REASON = sequence(extension("2.5.29.21", b""))


@pytest.mark.parametrize(
    "entry",
    [
        sequence(),
        sequence(integer(4)),
        sequence(DAY),
        sequence(DAY, integer(4)),
        sequence(integer(4), DAY[:-1]),
        sequence(integer(4), REASON),
        sequence(integer(4), DAY, REASON[:-1]),
        sequence(integer(4), DAY, integer(1)),
        sequence(integer(4), DAY, REASON, REASON),
        sequence(integer(256**127), DAY),
        sequence(b"\x02\x81\x01\x04", DAY),
        sequence(b"\x02\x00", DAY),
        element(0x31, integer(4), DAY),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_another_form_is_no_entry_wherever_it_stands(entry: bytes, place: int) -> None:
    entries = [sequence(integer(3), DAY)]
    entries.insert(place, entry)
    with pytest.raises(FormatError):
        parse_crl(revocations(revoked=sequence(*entries)))


def test_entries_may_share_a_day_and_a_reason() -> None:
    entries = [sequence(integer(n), DAY, REASON) for n in (4, 5)]
    entries += [sequence(integer(n), DAY) for n in (6, 7, 256**126)]
    assert parse_crl(revocations(revoked=sequence(*entries))).revoked == {4, 5, 6, 7, 256**126}


@pytest.mark.parametrize("size", [1, 2, 20, 21, 60])
def test_entries_of_one_day_and_reason_are_read_at_any_length(size: int) -> None:
    numbers = [256 ** (size - 1) * n + 3 for n in (1, 2, 0x7F)]
    for rest in ((DAY,), (DAY, REASON), (DAY, sequence(extension("2.5.29.21", bytes(60))))):
        entries = [sequence(integer(n), *rest) for n in numbers]
        assert parse_crl(revocations(revoked=sequence(*entries))).revoked == set(numbers)


def test_a_serial_number_of_zero_is_read() -> None:
    entries = [sequence(integer(n), DAY) for n in (4, 0)]
    assert parse_crl(revocations(revoked=sequence(*entries))).revoked == {0, 4}


def test_a_reason_with_an_entry_does_not_hide_it() -> None:
    entry = sequence(integer(4), utc_time(VCEK_LIFE[0]), sequence(extension("2.5.29.21", b"")))
    assert parse_crl(revocations(revoked=sequence(entry))).revoked == {4}


def test_an_extension_of_a_crl_that_is_not_critical_may_be_unknown() -> None:
    """RFC 5280 §5.2: only one that is critical must be understood."""
    assert parse_crl(limited("2.5.29.46")).revoked == {3}


def test_an_extension_of_a_crl_that_is_known_may_be_critical() -> None:
    number = extension("2.5.29.20", integer(1), critical=True)
    assert parse_crl(revocations(extensions=element(0xA0, sequence(number)))).revoked == {3}


@pytest.mark.parametrize("written", ["010100", "010101"])
def test_an_extension_is_critical_in_one_spelling(written: str) -> None:
    good = extension("1.2.3", b"", critical=True)
    bad = good.replace(b"\x01\x01\xff", bytes.fromhex(written))
    kept = parse_certificate(certificate(extensions=element(0xA3, sequence(good))))
    assert kept.extensions["1.2.3"].critical
    with pytest.raises(FormatError):
        parse_certificate(certificate(extensions=element(0xA3, sequence(bad))))


def test_a_crl_may_revoke_nothing() -> None:
    assert parse_crl(revocations(revoked=b"")).revoked == frozenset()
    assert parse_crl(revocations(revoked=sequence())).revoked == frozenset()


def test_a_name_is_told_by_its_common_name() -> None:
    assert common_name(NAME) == "ARK-Milan MOCK"
    assert common_name(b"\x30\x02\x05\x00") == "30020500"


@given(offset=st.integers(0, len(VEK) - 1), value=st.binary(min_size=1, max_size=4))
def test_any_change_gives_a_certificate_or_a_format_error(offset: int, value: bytes) -> None:
    changed = VEK[:offset] + value + VEK[offset + len(value) :]
    try:
        assert parse_certificate(changed).der == changed
    except FormatError as error:
        assert error.what == "certificate"


@given(offset=st.integers(0, len(CRL) - 1), value=st.binary(min_size=1, max_size=4))
def test_any_change_gives_a_crl_or_a_format_error(offset: int, value: bytes) -> None:
    changed = CRL[:offset] + value + CRL[offset + len(value) :]
    try:
        assert parse_crl(changed).tbs in changed
    except FormatError as error:
        assert error.what == "CRL"
