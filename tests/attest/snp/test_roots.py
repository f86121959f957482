# SPDX-License-Identifier: Apache-2.0
"""Roots: AMD's are pinned, a caller's are checked, and both are just roots."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from attest import FormatError, amd_roots
from attest.roots import ROOTS_MAX, read_roots, write_roots
from attest.snp.amd_certificates import CERTIFICATES
from attest.snp.product import ProductLine
from attest.snp.roots import load_root
from attest.x509 import common_name
from lab.mocktsm import mock_roots
from lab.mocktsm.pki import authority_certificates

# SHA-256 over the DER of AMD's ARK, ASK and ASVK.
PINNED = {
    ProductLine.MILAN: (
        "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd",
        "67d303bd3905fd38db8b20e0793699870e7fa612eaad5dec358293fd8c0bac1b",
        "c5e081f59b7efab1fe2f8b505e159704e72f29cab7ef7cf628a05a42439082f5",
    ),
    ProductLine.GENOA: (
        "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1",
        "5464738c1546aed5f2cecf1dc98c5c960a92e8913238a61711bc90ec6e828521",
        "197e610743a917d6b9bb982a5a9226ccc0a15b611be0619e626aca9151457372",
    ),
    ProductLine.TURIN: (
        "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a",
        "5b77ef5fe7a7a004fd9032668fba9d0fda22f88c4442069a479636a6ae3b3185",
        "104e10a8bd060a3c20a434261a57d0588fd65a88915b4f65b08bdecaf8df1a3c",
    ),
}
SERIALS = {
    ProductLine.MILAN: (0x10000, 0x10001, 0x10101),
    ProductLine.GENOA: (0x20000, 0x20002, 0x20101),
    ProductLine.TURIN: (0x30000, 0x30001, 0x30101),
}


def test_the_pinned_certificates_are_amds() -> None:
    digests = {
        line: tuple(hashlib.sha256(base64.b64decode(text)).hexdigest() for text in texts)
        for line, texts in CERTIFICATES.items()
    }
    assert digests == PINNED


def test_each_product_line_has_a_pinned_root_with_amds_names() -> None:
    roots = amd_roots().amd
    assert [root.line for root in roots] == list(ProductLine)
    for root in roots:
        assert root.asvk is not None
        certificates = [part.certificate for part in (root.ark, root.ask, root.asvk)]
        assert [common_name(certificate.subject) for certificate in certificates] == [
            f"ARK-{root.line}",
            f"SEV-{root.line}",
            f"SEV-VLEK-{root.line}",
        ]
        assert tuple(certificate.serial for certificate in certificates) == SERIALS[root.line]
        assert {common_name(certificate.issuer) for certificate in certificates} == {
            f"ARK-{root.line}"
        }


@pytest.mark.parametrize("roots", [amd_roots(), mock_roots("Turin")])
def test_roots_read_back_what_was_written(roots: Any) -> None:
    assert read_roots(write_roots(roots)) == roots


def test_a_root_may_be_without_asvk() -> None:
    (written,) = write_roots(mock_roots("Milan"))
    (root,) = read_roots([written | {"asvk": "none"}]).amd
    assert root.asvk is None


@pytest.mark.parametrize("value", [None, {}, [], [None], ["Milan"], [{}], [{"line": "Milan"}] * 9])
def test_another_shape_is_refused(value: object) -> None:
    with pytest.raises(FormatError):
        read_roots(value)


def test_the_most_roots_are_read_and_one_more_is_refused() -> None:
    (written,) = write_roots(mock_roots("Milan"))
    assert len(read_roots([written] * ROOTS_MAX).amd) == ROOTS_MAX
    with pytest.raises(FormatError, match=f"wanted a list of 1 to {ROOTS_MAX} roots"):
        read_roots([written] * (ROOTS_MAX + 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"line": "Rome"}, "wanted Milan or Genoa or Turin"),
        ({"ark": "ask"}, "ARK of Milan: extension"),
        ({"ask": "ark"}, "ASK of Milan: extension"),
        ({"ark": "other ark"}, "not signed by the ARK"),
        ({"asvk": "other asvk"}, "not signed by the ARK"),
    ],
)
def test_certificates_that_do_not_belong_together_are_no_root(
    change: dict[str, str], words: str
) -> None:
    (written,), (other,) = write_roots(mock_roots("Milan")), write_roots(mock_roots("Genoa"))
    texts = written | {f"other {name}": text for name, text in other.items()}
    ((name, source),) = change.items()
    with pytest.raises(FormatError, match=words):
        read_roots([written | {name: texts.get(source, source)}])


def test_a_self_signed_root_is_checked_too() -> None:
    ark, ask, _ = authority_certificates(ProductLine.MILAN)
    with pytest.raises(FormatError, match="ARK of Milan: not signed"):
        load_root(ProductLine.MILAN, ark=ark[:-1] + bytes([ark[-1] ^ 1]), ask=ask, asvk=None)


@pytest.mark.parametrize(
    "key", [b"\x30\x00", bytes.fromhex("302a300506032b6570032100") + bytes(32)]
)
def test_an_authority_has_an_rsa_key_of_4096_bits(key: bytes) -> None:
    ark, ask, _ = authority_certificates(ProductLine.MILAN)
    start = ark.index(bytes.fromhex("30820222300d06092a864886f70d010101"))
    changed = ark[:start] + key + ark[start + 550 :]
    shrink = 550 - len(key)
    outer, inner = len(ark) - 4 - shrink, int.from_bytes(ark[6:8], "big") - shrink
    sized = b"\x30\x82" + outer.to_bytes(2, "big") + b"\x30\x82" + inner.to_bytes(2, "big")
    with pytest.raises(FormatError, match="RSA key"):
        load_root(ProductLine.MILAN, ark=sized + changed[8:], ask=ask, asvk=None)


def test_an_authority_with_a_key_of_no_known_kind_is_refused() -> None:
    ark, ask, _ = authority_certificates(ProductLine.MILAN)
    changed = ark.replace(bytes.fromhex("2a864886f70d010101"), bytes.fromhex("2a864886f70d01017f"))
    with pytest.raises(FormatError, match="RSA key"):
        load_root(ProductLine.MILAN, ark=changed, ask=ask, asvk=None)


def test_an_authority_has_a_modulus_of_all_bits() -> None:
    ark, ask, _ = authority_certificates(ProductLine.MILAN)
    start = ark.index(bytes.fromhex("0282020100")) + 5
    with pytest.raises(FormatError, match="RSA key of 4096 bits"):
        load_root(
            ProductLine.MILAN, ark=ark[:start] + b"\x7f" + ark[start + 1 :], ask=ask, asvk=None
        )
