# SPDX-License-Identifier: Apache-2.0
"""One change at a time to real evidence, so that a signature or a length no longer holds.

Every field of every layout is met, every reserved span, and every part that is not a field:
certificates at a fixed step, documents, signatures, lists. Nothing is random.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from attest.layout import Layout, cells
from attest.snp.report import VERSIONS
from attest.tdx.collateral import MEMBERS
from attest.tdx.quote import Header, QeReport, TdReport10, TdReport15
from tests.attest.snp.evidence import load
from tests.differential.items import Item, Origin, SnpItem, TdxItem
from tests.differential.real import CRL_TIMES

VEK_STEP, CRL_STEP, PEM_STEP, MEMBER_STEPS = 29, 97, 211, 5
SNP_NAMES = (
    "milan-v2-trustee",
    "milan-ms-tav",
    "genoa-ms-tav",
    "turin-ms-tav",
    "milan-vlek-trustee",
)
TDX_NAMES = ("v4-phala", "gotdx-cos113", "gotdx-v5")


def flipped(data: bytes, offset: int, bit: int = 0) -> bytes:
    """The data with one bit changed."""
    return data[:offset] + bytes([data[offset] ^ 1 << bit]) + data[offset + 1 :]


def offsets(layout: type[Layout], base: int = 0) -> Iterator[tuple[str, int]]:
    """One offset in each field, and one in each reserved span."""
    for name, cell in cells(layout).items():
        yield name, base + cell.offset + cell.size // 2
    for span in layout.RESERVED:
        yield f"reserved 0x{base + span.start:x}", base + span.start


def snp_mutations(reports: list[SnpItem]) -> Iterator[SnpItem]:
    """Reports field by field, then lengths, then certificates and CRLs."""
    chosen = [item for item in reports if item.name in SNP_NAMES]
    for item in chosen:
        for name, offset in offsets(VERSIONS[item.version]):
            yield _mutated(item, f"bit of {name}", report=flipped(item.report, offset))
        yield _mutated(item, "one byte short", report=item.report[:-1])
        yield _mutated(item, "one byte long", report=item.report + b"\x00")
        yield _mutated(item, "nothing", report=b"")
        for version in (0, 1, 6):
            report = bytes([version]) + item.report[1:]
            yield _mutated(item, f"version {version}", report=report)
        step = VEK_STEP if item.name in {"milan-ms-tav", "turin-ms-tav"} else 8 * VEK_STEP
        for offset in range(0, len(item.vek), step):
            yield _mutated(item, f"bit of VEK byte {offset}", vek=flipped(item.vek, offset))
        yield _mutated(item, "VEK one byte short", vek=item.vek[:-1])
        yield _mutated(item, "VEK one byte long", vek=item.vek + b"\x00")
    milan = next(item for item in chosen if item.name == "milan-v2-trustee")
    crl, now = load("crl/milan.der"), CRL_TIMES["milan"]
    for offset in range(0, len(crl), CRL_STEP):
        name = f"bit of CRL byte {offset}"
        yield _mutated(replace(milan, now=now), name, crl=flipped(crl, offset))


def _mutated(item: SnpItem, name: str, **changes: bytes) -> SnpItem:
    return replace(item, name=f"{item.name}: {name}", origin=Origin.MUTATED, **changes)  # type: ignore[arg-type]  # bytes go to bytes


def tdx_mutations(bundles: list[TdxItem]) -> Iterator[TdxItem]:
    """Quotes field by field, their frame, their certificates; then collateral member by member."""
    for item in bundles:
        if item.name not in TDX_NAMES:
            continue
        for name, offset in _quote_offsets(item.quote):
            yield _changed(item, f"bit of {name}", quote=flipped(item.quote, offset))
        for size in (0, 47, 48, 631, 1000, len(item.quote.rstrip(b"\x00")) - 1):
            yield _changed(item, f"cut to {size} bytes", quote=item.quote[:size])
        yield _changed(item, "zeros after it", quote=item.quote + bytes(64))
        yield _changed(item, "a one after it", quote=item.quote + b"\x01")
        yield from _collateral_mutations(item)


def _quote_offsets(quote: bytes) -> Iterator[tuple[str, int]]:
    yield from offsets(Header)
    v5 = quote[0] == 5
    body = TdReport15 if v5 else TdReport10
    at = 54 if v5 else 48
    if v5:
        yield from (("body type", 48), ("body size", 50))
    yield from offsets(body, at)
    at += body.SIZE
    yield "signature data's size", at
    at += 4
    parts = (
        ("signature r", 16), ("signature s", 48), ("attestation key x", 80),
        ("attestation key y", 112), ("outer type", 128), ("outer size", 130),
    )  # fmt: skip
    yield from ((name, at + offset) for name, offset in parts)
    yield from ((f"QE {name}", offset) for name, offset in offsets(QeReport, at + 134))
    yield from (("QE signature r", at + 534), ("QE signature s", at + 566))
    yield from (("authentication data's size", at + 582), ("authentication data", at + 600))
    chain = at + 584 + int.from_bytes(quote[at + 582 : at + 584], "little")
    yield from (("inner type", chain), ("inner size", chain + 2))
    size = int.from_bytes(quote[chain + 2 : chain + 6], "little")
    for offset in range(chain + 6, chain + 6 + size, PEM_STEP):
        yield f"PEM byte {offset - chain - 6}", offset


def _collateral_mutations(item: TdxItem) -> Iterator[TdxItem]:
    given = json.loads(item.collateral)
    for name in MEMBERS:
        text = given[name]
        for nth in range(MEMBER_STEPS):
            at = (2 * nth + 1) * len(text) // (2 * MEMBER_STEPS)
            other = _other(text[at])
            changed = given | {name: text[:at] + other + text[at + 1 :]}
            yield _changed(item, f"{name}, character {at}", collateral=json.dumps(changed).encode())
        empty = json.dumps(given | {name: ""}).encode()
        yield _changed(item, f"{name} empty", collateral=empty)
    for name in ("tcb_info", "qe_identity"):
        spaced = json.dumps(given | {name: given[name].replace("{", "{ ", 1)}).encode()
        yield _changed(item, f"{name} with a space in it", collateral=spaced)


def _other(character: str) -> str:
    """Another character that the same place could hold: a digit for a digit, a letter for one."""
    if character.isdigit():
        return str((int(character) + 1) % 10)
    return "b" if character in "aA" else "a" if character.isalpha() else "."


def _changed(item: TdxItem, name: str, **changes: bytes) -> TdxItem:
    return replace(item, name=f"{item.name}: {name}", origin=Origin.MUTATED, **changes)  # type: ignore[arg-type]  # bytes go to bytes


def mutated(reports: list[SnpItem], bundles: list[TdxItem]) -> Iterator[Item]:
    """All of them."""
    yield from snp_mutations(reports)
    yield from tdx_mutations(bundles)
