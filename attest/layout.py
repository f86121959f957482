# SPDX-License-Identifier: Apache-2.0
"""Fixed binary layouts, written as dataclasses whose fields carry their offsets.

A layout class is the specification's table, one line for one row::

    @dataclass(frozen=True, slots=True)
    class Header:
        version: Annotated[int, U16(0x00)]
        vendor: Annotated[bytes, Raw(0x04, 16)]

        SIZE: ClassVar[int] = 0x14
        RESERVED: ClassVar[tuple[Span, ...]] = (Span(0x02, 0x04),)

`decode` accepts exactly ``SIZE`` bytes and requires every reserved byte to be zero. `uncovered`
proves that each byte of the layout is named once or reserved.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Protocol, TypeVar, get_args, get_origin, get_type_hints

from attest.errors import FormatError


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes ``start <= i < end``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Raw:
    """``size`` bytes, kept as they are."""

    offset: int
    size: int

    def read(self, data: bytes) -> bytes:
        """The field's bytes."""
        return data[self.offset : self.offset + self.size]


@dataclass(frozen=True, slots=True)
class Uint:
    """An unsigned little-endian integer of ``size`` bytes."""

    offset: int
    size: ClassVar[int]

    def read(self, data: bytes) -> int:
        """The field's value."""
        return int.from_bytes(data[self.offset : self.offset + self.size], "little")


class U8(Uint):
    """One byte."""

    size = 1


class U16(Uint):
    """Two bytes."""

    size = 2


class U32(Uint):
    """Four bytes."""

    size = 4


class U64(Uint):
    """Eight bytes."""

    size = 8


class Layout(Protocol):
    """What a class needs to be a layout, besides its annotated fields."""

    SIZE: ClassVar[int]
    RESERVED: ClassVar[tuple[Span, ...]]


L = TypeVar("L", bound=Layout)
Cell = Raw | Uint


def cells(layout: type[Layout]) -> dict[str, Cell]:
    """The layout's fields, those of its base classes included, and where each lies."""
    return _cells(layout)


@cache
def _cells(layout: type[Layout]) -> dict[str, Cell]:
    hints: dict[str, Any] = get_type_hints(layout, include_extras=True)
    return {n: get_args(h)[1] for n, h in hints.items() if get_origin(h) is Annotated}


def decode(layout: type[L], data: bytes) -> L:
    """Read ``data`` as one ``layout``.

    Raises:
        FormatError: wrong length, or a reserved byte is not zero.
    """
    name = layout.__name__
    if len(data) != layout.SIZE:
        raise FormatError(name, len(data), f"wanted {layout.SIZE} bytes, got {len(data)}")
    for span in layout.RESERVED:
        if any(data[span.start : span.end]):
            raise FormatError(name, span.start, "reserved bytes are not zero")
    return layout(**{field: cell.read(data) for field, cell in cells(layout).items()})


def uncovered(layout: type[Layout]) -> list[int]:
    """Offsets that belong to no field and no reserved span, or to more than one."""
    seen: Counter[int] = Counter()
    for cell in cells(layout).values():
        seen.update(range(cell.offset, cell.offset + cell.size))
    for span in layout.RESERVED:
        seen.update(range(span.start, span.end))
    return [i for i in range(max(layout.SIZE, *seen) + 1) if seen[i] != (i < layout.SIZE)]
