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
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from struct import Struct
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

    @property
    def code(self) -> str:
        """The field in the notation of `struct`."""
        return f"{self.size}s"


@dataclass(frozen=True, slots=True)
class Uint:
    """An unsigned little-endian integer of ``size`` bytes; ``code`` is its notation in `struct`."""

    offset: int
    size: ClassVar[int]
    code: ClassVar[str]


class U8(Uint):
    """One byte."""

    size, code = 1, "B"


class U16(Uint):
    """Two bytes."""

    size, code = 2, "H"


class U32(Uint):
    """Four bytes."""

    size, code = 4, "I"


class U64(Uint):
    """Eight bytes."""

    size, code = 8, "Q"


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


@cache
def _reading(layout: type[Layout]) -> tuple[tuple[str, ...], Callable[[bytes], tuple[Any, ...]]]:
    """The fields in the order in which they lie, and what takes them all from the bytes."""
    ordered = sorted(cells(layout).items(), key=lambda item: item[1].offset)
    code, at = "<", 0
    for _, cell in ordered:
        code += f"{cell.offset - at}x{cell.code}"
        at = cell.offset + cell.size
    return tuple(name for name, _ in ordered), Struct(f"{code}{layout.SIZE - at}x").unpack


def decode(layout: type[L], data: bytes) -> L:
    """Read ``data`` as one ``layout``.

    Raises:
        FormatError: wrong length, or a reserved byte is not zero.
    """
    name = layout.__name__
    if len(data) != layout.SIZE:
        raise FormatError(name, len(data), f"wanted {layout.SIZE} bytes, got {len(data)}")
    for span in layout.RESERVED:
        if data.count(0, span.start, span.end) != span.end - span.start:
            raise FormatError(name, span.start, "reserved bytes are not zero")
    fields, unpack = _reading(layout)
    return layout(**dict(zip(fields, unpack(data), strict=True)))


def uncovered(layout: type[Layout]) -> list[int]:
    """Offsets that belong to no field and no reserved span, or to more than one."""
    seen: Counter[int] = Counter()
    for cell in cells(layout).values():
        seen.update(range(cell.offset, cell.offset + cell.size))
    for span in layout.RESERVED:
        seen.update(range(span.start, span.end))
    return [i for i in range(max(layout.SIZE, *seen) + 1) if seen[i] != (i < layout.SIZE)]
