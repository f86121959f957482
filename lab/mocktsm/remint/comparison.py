# SPDX-License-Identifier: Apache-2.0
"""Comparing what is real with what was minted: byte by byte, or value by value in DER.

What may differ is named beforehand and counted; everything else must be equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from attest.der import OBJECT_IDENTIFIER, OCTET_STRING
from attest.layout import Span

CONSTRUCTED = 0x20
REVOKED = ("0", "0", "5")  # in a list with entries; without any, its extensions are there

Path = tuple[str, ...]
Free = Callable[[Path], bool]

# Octets that are what they are and not DER: hwID, and the values in Intel's extension.
_RAW = ("1.3.6.1.4.1.3704.1.4", "1.2.840.113741.1.13.1.")


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much was equal, how much was free to differ, and what differs and must not."""

    equal: int
    free: int
    differences: tuple[str, ...]


def compare_bytes(real: bytes, minted: bytes, free: tuple[Span, ...]) -> Comparison:
    """Every byte but those in ``free``."""
    may_differ = {offset for span in free for offset in range(span.start, span.end)}
    wrong = [
        f"byte 0x{offset:x}"
        for offset, (one, other) in enumerate(zip(real, minted, strict=False))
        if one != other and offset not in may_differ
    ]
    if len(real) != len(minted):
        wrong.insert(0, f"{len(minted)} bytes, not {len(real)}")
    return Comparison(len(real) - len(may_differ), len(may_differ), tuple(wrong))


def compare_der(real: bytes, minted: bytes, free: Free) -> Comparison:
    """Every value but those at paths that are ``free``; each must be there in either."""
    one, other = dict(leaves(real)), dict(leaves(minted))
    wrong = [f"{'/'.join(path)} is in one only" for path in sorted(one.keys() ^ other.keys())]
    shared = [path for path in one if path in other]
    wrong += [
        f"{'/'.join(path)}: {one[path].hex()[:24]} became {other[path].hex()[:24]}"
        for path in shared
        if one[path] != other[path] and not free(path)
    ]
    if list(one) != list(other) and not wrong:
        wrong.append("another order")
    freed = sum(map(free, shared))
    return Comparison(len(shared) - freed, freed, tuple(wrong))


def leaves(der: bytes, path: Path = ()) -> Iterator[tuple[Path, bytes]]:
    """Each value that holds no others, tag and content, with the way to it.

    A step of the way is a place in a sequence; what stands behind an OID is found by that OID.
    """
    oid = ""
    for index, (tag, body) in enumerate(elements(der)):
        here = (*path, *([oid] if oid else []), str(index))
        if tag == OBJECT_IDENTIFIER:
            oid = _dotted(body)
        if tag & CONSTRUCTED and body:
            yield from leaves(body, here)
        elif tag == OCTET_STRING and oid and not oid.startswith(_RAW):
            yield from _within(body, here)
        else:
            yield here, bytes([tag]) + body


def elements(der: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of the elements that stand one after the other.

    Raises:
        ValueError: not DER.
    """
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(der):
        tag, size, at = der[at], int.from_bytes(der[at + 1 : at + 2], "big"), at + 2
        if size & 0x80:
            digits = size & 0x7F
            size, at = int.from_bytes(der[at : at + digits], "big"), at + digits
        if at + size > len(der):
            raise ValueError("an element that goes beyond its space")
        found.append((tag, der[at : at + size]))
        at += size
    return found


def value(found: dict[Path, bytes], *steps: str) -> bytes:
    """The content, without its tag, of the first value whose way ends in these steps.

    Raises:
        KeyError: there is none.
    """
    for path, raw in found.items():
        if path[-len(steps) :] == steps:
            return raw[1:]
    raise KeyError("/".join(steps))


def revoked(found: dict[Path, bytes]) -> tuple[int, ...]:
    """The serial numbers in a list with entries, in their order."""
    entries = [raw for path, raw in found.items() if path[:3] == REVOKED and path[4:] == ("0",)]
    return tuple(int.from_bytes(raw[1:], "big") for raw in entries)


def _within(body: bytes, here: Path) -> Iterator[tuple[Path, bytes]]:
    """An extension's value, which is DER unless its author thought otherwise."""
    try:
        inner = list(leaves(body, here))
    except ValueError:
        inner = [(here, body)]
    yield from inner


def _dotted(body: bytes) -> str:
    arcs, number = [], 0
    for octet in body:
        number = number << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(number)
            number = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))
