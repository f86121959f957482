# SPDX-License-Identifier: Apache-2.0
"""Each fuzz target reads its seeds, and a few thousand changes of them give nothing unforeseen.

The changes are those of a mutating fuzzer without feedback, the same ones on each run. `make fuzz`
goes on from here with atheris, which looks at what the code did.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
CHANGES = 500
LONG_BYTES = 16385  # longer inputs take longer, so fewer are tried
INTERESTING = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b'"')
EACH = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)

# Parsers of values that other parsers have read, or a step of one that is a target.
WITHIN_ANOTHER = {
    "parse_all": "verify-report, verify-quote",
    "parse_holder": "tdx-collateral",
    "parse_pck": "tdx-pck-chain",
    "parse_pck_ca": "tdx-pck-chain",
    "parse_pem": "tdx-pck-chain",
    "parse_tcb_signer": "tdx-collateral",
}


def flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def overwrite(data: bytearray, chance: random.Random) -> None:
    word = chance.choice(INTERESTING)
    at = chance.randrange(len(data))
    data[at : at + len(word)] = word


def insert(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at:at] = chance.randbytes(chance.randrange(1, 5))


def remove(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randrange(1, 9)]


def repeat(data: bytearray, chance: random.Random) -> None:
    at, size = chance.randrange(len(data)), chance.randrange(1, 65)
    data[at:at] = data[at : at + size]


def cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


CHANGERS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip,
    overwrite,
    insert,
    remove,
    repeat,
    cut,
)


def changed(seed: bytes, chance: random.Random) -> bytes:
    """The seed after one to four changes."""
    data = bytearray(seed or b"\x00")
    for _ in range(chance.randrange(1, 5)):
        chance.choice(CHANGERS)(data, chance)
        data = data or bytearray(1)
    return bytes(data)


@EACH
def test_a_target_reads_its_seeds(target: Target) -> None:
    seeds = list(target.seeds())
    assert seeds
    assert [seed.hex() for seed in seeds if not target.accepts(seed)] == []


@EACH
def test_changed_seeds_give_a_value_or_the_packages_own_error(target: Target) -> None:
    chance = random.Random(target.name)
    seeds = list(target.seeds())
    tries = CHANGES if target.most < LONG_BYTES else CHANGES // 10
    verdicts = [target.accepts(changed(chance.choice(seeds), chance)) for _ in range(tries)]
    assert False in verdicts


@EACH
@given(data=st.binary(max_size=300))
def test_any_bytes_give_a_value_or_the_packages_own_error(target: Target, data: bytes) -> None:
    assert target.accepts(data) in {True, False}


@pytest.mark.parametrize("room", ["attest", "wire"])
def test_every_parser_of_bytes_is_a_target(room: str) -> None:
    parsers = {
        name
        for path in sorted((ROOT / room).rglob("*.py"))
        for name in re.findall(
            r"^def (parse_\w+)\((?:data|der|pem|image):? ", path.read_text(), re.M
        )
    }
    tables = "".join(
        (ROOT / "tests" / "fuzz" / f"{name}_targets.py").read_text() for name in ("attest", "wire")
    )
    fuzzed = {name for name in parsers if re.search(rf"\b{name}\b", tables)}
    assert parsers - fuzzed - WITHIN_ANOTHER.keys() == set()
    assert parsers


def test_every_parser_between_the_guests_processes_is_a_target() -> None:
    """Sections of the configuration come from init, which has read them with `parse_config`."""
    parsers = {
        f"{kind}.parse"
        for path in sorted((ROOT / "guest").rglob("*.py"))
        for kind, body in re.findall(
            r"^class (\w+).*?\n(.*?)(?=^class |\Z)", path.read_text(), re.M | re.S
        )
        if "def parse(cls, body: bytes)" in body
    }
    table = (ROOT / "tests" / "fuzz" / "guest_targets.py").read_text()
    assert {name for name in parsers if name not in table} == set()
    assert len(parsers) == 4
