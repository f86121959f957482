# SPDX-License-Identifier: Apache-2.0
"""VEK certificates: the exact set of extensions, each in its one encoding."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError
from attest.errors import UnsupportedError
from attest.snp.certificate import (
    CSP_ID,
    HWID,
    PRODUCT_NAME,
    STRUCT_VERSION,
    parse_vek,
)
from attest.snp.key_kind import KeyKind
from attest.snp.product import ProductLine
from lab.mocktsm import MockSnp
from lab.mocktsm.der import element, extension, ia5, integer
from lab.mocktsm.pki import authority_certificates, vek_certificate
from lab.mocktsm.snp import MOCK_CSP_ID

SPL = STRUCT_VERSION.removesuffix("1") + "3."


def mint(line: str = "Milan", kind: KeyKind = KeyKind.VCEK, **changes: Any) -> bytes:
    chip = MockSnp(line=line, version=5, kind=kind)
    public = chip.key(chip.tcb).public_key()
    values: dict[str, Any] = {
        "point": public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        "tcb": chip.tcb.raw,
        "identity": chip.hwid if kind is KeyKind.VCEK else MOCK_CSP_ID,
    }
    return vek_certificate(ProductLine(line), kind, **(values | changes))


MINTED = mint()


def problem(der: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_vek(der)
    return str(caught.value)


@pytest.mark.parametrize("line", list(ProductLine))
def test_a_vcek_names_its_chip(line: str) -> None:
    chip, vek = MockSnp(line=line, version=5), parse_vek(mint(line))
    assert (vek.kind, vek.hwid, vek.csp_id) == (KeyKind.VCEK, chip.hwid, None)
    assert (vek.tcb, vek.product_name) == (chip.tcb.raw, line)
    assert vek.certificate.serial == 0


@pytest.mark.parametrize("line", list(ProductLine))
def test_a_vlek_names_its_cloud(line: str) -> None:
    vek = parse_vek(mint(line, KeyKind.VLEK))
    assert (vek.kind, vek.hwid, vek.csp_id) == (KeyKind.VLEK, None, MOCK_CSP_ID)


@pytest.mark.parametrize("name", ["~", " ", "a" * 256])
def test_a_clouds_name_is_any_printable_text_of_1_to_256_characters(name: str) -> None:
    assert parse_vek(mint(kind=KeyKind.VLEK, identity=name)).csp_id == name


@pytest.mark.parametrize("name", ["", "a" * 257, "a\x7f", "a\x1f"])
def test_a_clouds_name_of_another_form_is_refused(name: str) -> None:
    assert "IA5String is empty, too long or not printable" in problem(
        mint(kind=KeyKind.VLEK, identity=name)
    )


@pytest.mark.parametrize("first", [0x02, 0x04])
def test_a_chip_identity_may_look_like_der(first: int) -> None:
    hwid = bytes([first, 62]) + bytes(62)
    assert parse_vek(mint(identity=hwid)).hwid == hwid


@pytest.mark.parametrize(("line", "size"), [("Milan", 64), ("Turin", 8)])
def test_an_octet_string_around_the_chip_identity_is_taken_off(line: str, size: int) -> None:
    assert parse_vek(mint(line, identity=element(0x04, bytes(size)))).hwid == bytes(size)


@pytest.mark.parametrize("size", [61, 63])
def test_an_octet_string_of_another_length_is_refused(size: int) -> None:
    assert f"wanted 64 bytes, got {size}" in problem(mint(identity=element(0x04, bytes(size))))


@pytest.mark.parametrize("size", [0, 8, 63, 65, 66])
def test_a_chip_identity_of_another_length_is_refused(size: int) -> None:
    assert "hwID" in problem(mint(identity=bytes(size)))


@pytest.mark.parametrize(
    "dotted",
    [PRODUCT_NAME, HWID, *(f"{SPL}{number}" for number in range(1, 9))],
)
def test_a_missing_extension_is_refused(dotted: str) -> None:
    assert "set of extensions" in problem(mint(drop=dotted))


def test_a_missing_struct_version_is_refused() -> None:
    assert "is missing" in problem(mint(drop=STRUCT_VERSION))


@pytest.mark.parametrize(
    "extra",
    [
        extension(f"{SPL}9", integer(1)),
        extension(CSP_ID, ia5(MOCK_CSP_ID)),
        extension("2.5.29.19", bytes.fromhex("3000")),
    ],
)
def test_another_extension_is_refused(extra: bytes) -> None:
    assert "set of extensions" in problem(mint(extra=extra))


def test_a_critical_extension_is_refused() -> None:
    extra = extension("1.2.3", b"", critical=True)
    assert "critical" in problem(mint(extra=extra))


@pytest.mark.parametrize(
    "value", ["02020001", "0202007f", "0201ff", "02020100", "02010400", "040104", "0200", "", "02"]
)
def test_a_security_version_has_one_spelling(value: str) -> None:
    der = mint(drop=f"{SPL}1", extra=extension(f"{SPL}1", bytes.fromhex(value)))
    assert "wanted an INTEGER from 0 to 255 in DER" in problem(der)


@pytest.mark.parametrize("svn", [0, 1, 0x7F, 0x80, 0xFF])
def test_a_security_version_is_read(svn: int) -> None:
    found = parse_vek(mint(drop=f"{SPL}1", extra=extension(f"{SPL}1", integer(svn))))
    assert found.tcb[0] == svn


@pytest.mark.parametrize("version", [2, 255])
def test_an_unknown_struct_version_is_refused(version: int) -> None:
    der = mint(drop=STRUCT_VERSION, extra=extension(STRUCT_VERSION, integer(version)))
    with pytest.raises(UnsupportedError, match="structVersion"):
        parse_vek(der)


@pytest.mark.parametrize("name", ["", "milan", "Milan-", "Milan-B00", "Milan B0", "M" * 40])
def test_a_product_name_is_a_name_with_or_without_a_stepping(name: str) -> None:
    der = mint(drop=PRODUCT_NAME, extra=extension(PRODUCT_NAME, ia5(name)))
    assert "productName" in problem(der) or "IA5String" in problem(der)


@pytest.mark.parametrize(
    "point",
    [b"\x04" + bytes(96), b"\x02" + b"\x01" * 48, b"\x04" + b"\x01" * 64, b""],
)
def test_only_an_uncompressed_point_on_p384_is_a_key(point: bytes) -> None:
    assert "point on P-384" in problem(mint(point=point))


def test_an_authority_is_not_a_vek() -> None:
    ark, ask, _ = authority_certificates(ProductLine.MILAN)
    assert "subject" in problem(ask)
    assert "subject" in problem(ark)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_format_error(data: bytes) -> None:
    assert problem(data)


@given(offset=st.integers(0, 800), value=st.integers(0, 255))
def test_any_change_gives_a_certificate_or_a_format_error(offset: int, value: int) -> None:
    changed = MINTED[:offset] + bytes([value]) + MINTED[offset + 1 :]
    try:
        vek = parse_vek(changed)
    except FormatError as error:
        assert error.problem
    else:
        assert vek.certificate.der == changed
