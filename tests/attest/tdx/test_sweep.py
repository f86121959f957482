# SPDX-License-Identifier: Apache-2.0
"""Every single-bit change of real evidence is refused: quotes, certificates, lists, documents.

The quick sweep changes one or two bits of every 23rd byte, the slow one every bit of every 19th,
and the whole one (`make sweep`, about 17 minutes) every bit of every byte.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from attest import Refused
from attest.tdx.quote import parse_quote
from tests.attest.tdx.evidence import Bundle, bundles, strict

BUNDLES = bundles()
QUICK_STEP = 23  # no divisor of any field's length, so that each field is met
SLOW_STEP = 19
QUOTES = ["v4-phala", "gotdx-v5"]  # version 4; version 5 with body type 3
STEPS = [
    pytest.param(SLOW_STEP, marks=pytest.mark.slow, id="sample"),
    pytest.param(1, marks=[pytest.mark.sweep, pytest.mark.timeout(3600)], id="whole"),
]
MEMBERS = sorted(json.loads(BUNDLES["gotdx-v5"].collateral))


def undetected(data: bytes, verify: Callable[[bytes], object], step: int, bits: range) -> list[str]:
    """Bits of ``data`` whose change goes unnoticed."""
    found: list[str] = []
    for offset in range(0, len(data), step):
        for bit in bits:
            changed = data[:offset] + bytes([data[offset] ^ 1 << bit]) + data[offset + 1 :]
            try:
                verify(changed)
            except Refused:
                continue
            found.append(f"byte 0x{offset:x} bit {bit}")
    return found


def sweep_quote(bundle: Bundle, step: int, bits: range) -> list[str]:
    policy, trailing = strict(bundle.quote), parse_quote(bundle.quote).trailing
    data = bundle.quote[: len(bundle.quote) - len(trailing)]
    return undetected(
        data, lambda changed: replace(bundle, quote=changed).verify(policy), step, bits
    )


def sweep_member(name: str, step: int, bits: range) -> list[str]:
    bundle = BUNDLES["gotdx-v5"]
    policy, members = strict(bundle.quote), json.loads(bundle.collateral)

    def verify(changed: bytes) -> object:
        text = changed.decode("latin-1")
        material = json.dumps(members | {name: text}, ensure_ascii=False).encode()
        return replace(bundle, collateral=material).verify(policy)

    return undetected(members[name].encode(), verify, step, bits)


def harmless(name: str, found: list[str]) -> list[str]:
    """What is left when the spelling of hexadecimal and of line ends is set aside.

    Bit 5 is the case of a letter; bits of a PEM's frame are refused or are the end of a line.
    """
    hexadecimal = name.endswith(("crl", "signature"))
    return [bit for bit in found if not (hexadecimal and bit.endswith("bit 5"))]


@pytest.mark.parametrize("name", QUOTES)
def test_a_changed_quote_is_refused(name: str) -> None:
    assert sweep_quote(BUNDLES[name], QUICK_STEP, range(0, 8, 7)) == []


@pytest.mark.parametrize("name", MEMBERS)
def test_a_changed_member_of_the_collateral_is_refused(name: str) -> None:
    assert sweep_member(name, QUICK_STEP * 3, range(1)) == []


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", QUOTES)
def test_every_changed_bit_of_a_quote_is_refused(name: str, step: int) -> None:
    assert sweep_quote(BUNDLES[name], step, range(8)) == []


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", MEMBERS)
def test_every_changed_bit_of_the_collateral_is_refused(name: str, step: int) -> None:
    assert harmless(name, sweep_member(name, step, range(7))) == []
