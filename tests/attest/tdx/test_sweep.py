# SPDX-License-Identifier: Apache-2.0
"""Every single-bit change of real TDX evidence is refused: quotes, certificates, lists, documents.

A quote of each version, and of one bundle's collateral each certificate, revocation list, signed
document and signature, as the bytes that they are and not as the text that carries them. The quick
sweep changes two bits of every 23rd byte, the slow one every bit of every 19th, and the whole one
(`make sweep`) every bit of every byte.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from attest.tdx.certificate import parse_pem
from attest.tdx.quote import parse_quote
from tests.attest.bits import ALL, undetected
from tests.attest.tdx.evidence import Bundle, bundles, strict

BUNDLES = bundles()
QUOTES = ["v4-phala", "gotdx-v5"]  # version 4; version 5 with body type 3
BUNDLE = BUNDLES["gotdx-v5"]
POLICY = strict(BUNDLE.quote)
COLLATERAL: dict[str, str] = json.loads(BUNDLE.collateral)
ENDS = range(0, 8, 7)
# Steps that divide no field's length, so that each field is met.
DEPTHS = [
    pytest.param(23, ENDS, id="quick"),
    pytest.param(19, ALL, id="sample", marks=pytest.mark.slow),
    pytest.param(1, ALL, id="whole", marks=[pytest.mark.sweep, pytest.mark.timeout(3600)]),
]
DEPTH = pytest.mark.parametrize(("step", "bits"), DEPTHS)
PEM = "-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n"


@dataclass(frozen=True)
class Part:
    """One thing in the collateral: its bytes, and the member's text with other bytes in place."""

    name: str
    member: str
    data: bytes
    write: Callable[[bytes], str]

    def verify(self, changed: bytes) -> object:
        members = COLLATERAL | {self.member: self.write(changed)}
        material = json.dumps(members, ensure_ascii=False).encode()
        return replace(BUNDLE, collateral=material).verify(POLICY)


def parts() -> Iterator[Part]:
    """Every certificate, list, document and signature of the bundle."""
    for member, text in COLLATERAL.items():
        if member.endswith("chain"):
            yield from certificates(member, text)
        elif member.endswith(("crl", "signature")):
            yield Part(member, member, bytes.fromhex(text), bytes.hex)
        else:
            yield Part(member, member, text.encode(), lambda data: data.decode("latin-1"))


def certificates(member: str, text: str) -> Iterator[Part]:
    ders = parse_pem(text.encode(), member)
    for place, der in enumerate(ders):

        def write(changed: bytes, place: int = place) -> str:
            chain = [*ders[:place], changed, *ders[place + 1 :]]
            return "".join(PEM.format(base64.encodebytes(one).decode()) for one in chain)

        yield Part(f"{member}, certificate {place}", member, der, write)


PARTS = {part.name: part for part in parts()}


def sweep_quote(bundle: Bundle, step: int, bits: range) -> list[str]:
    policy, trailing = strict(bundle.quote), parse_quote(bundle.quote).trailing
    data = bundle.quote[: len(bundle.quote) - len(trailing)]

    def verify(changed: bytes) -> object:
        return replace(bundle, quote=changed).verify(policy)

    verify(data)
    return undetected(data, verify, step=step, bits=bits)


@DEPTH
@pytest.mark.parametrize("name", QUOTES)
def test_no_bit_of_a_quote_can_change(name: str, step: int, bits: range) -> None:
    assert sweep_quote(BUNDLES[name], step, bits) == []


@DEPTH
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_no_bit_of_the_collateral_can_change(part: Part, step: int, bits: range) -> None:
    part.verify(part.data)
    assert undetected(part.data, part.verify, step=step, bits=bits) == []


def test_every_member_of_the_collateral_is_swept() -> None:
    assert {part.member for part in PARTS.values()} == COLLATERAL.keys()
    assert len(PARTS) == 12
