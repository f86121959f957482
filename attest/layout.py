# SPDX-License-Identifier: Apache-2.0
"""Fixed binary layouts, written as dataclasses whose fields carry their offsets.

A layout class, which has slots, is the specification's table, one line for one row::

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
from operator import itemgetter
from struct import Struct
from typing import (
    Annotated,
    Any,
    ClassVar,
    NamedTuple,
    Protocol,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

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


class _Reading(NamedTuple):
    """How one layout is read.

    Attributes:
        reserved: takes the reserved bytes; ``zeros`` is what they must be.
        unpack: takes the fields' values, in the order in which they lie.
        setters: of the fields' slots, in that order.
    """

    reserved: Callable[[bytes], Any]
    zeros: Any
    unpack: Callable[[bytes], tuple[Any, ...]]
    setters: tuple[Callable[[Any, Any], None], ...]


@cache
def _reading(layout: type[Layout]) -> _Reading:
    ordered = sorted(cells(layout).items(), key=lambda item: item[1].offset)
    code, at = "<", 0
    for _, cell in ordered:
        code += f"{cell.offset - at}x{cell.code}"
        at = cell.offset + cell.size
    # A slice without bytes, for a layout that reserves none.
    reserved = itemgetter(slice(0), *(slice(span.start, span.end) for span in layout.RESERVED))
    return _Reading(
        reserved=reserved,
        zeros=reserved(bytes(layout.SIZE)),
        unpack=Struct(f"{code}{layout.SIZE - at}x").unpack,
        setters=tuple(getattr(layout, name).__set__ for name, _ in ordered),
    )


def decode(layout: type[L], data: bytes) -> L:
    """Read ``data`` as one ``layout``.

    The fields are set slot by slot: the ``__init__`` of a frozen dataclass goes through
    ``object.__setattr__``, at ten times the price.

    Raises:
        FormatError: wrong length, or a reserved byte is not zero.
    """
    if len(data) != layout.SIZE:
        problem = f"wanted {layout.SIZE} bytes, got {len(data)}"
        raise FormatError(layout.__name__, len(data), problem)
    reserved, zeros, unpack, setters = _reading(layout)
    if reserved(data) != zeros:
        start = next(span.start for span in layout.RESERVED if any(data[span.start : span.end]))
        raise FormatError(layout.__name__, start, "reserved bytes are not zero")
    made = object.__new__(layout)
    for set_field, value in zip(setters, unpack(data), strict=True):
        set_field(made, value)
    return made


def uncovered(layout: type[Layout]) -> list[int]:
    """Offsets that belong to no field and no reserved span, or to more than one."""
    seen: Counter[int] = Counter()
    for cell in cells(layout).values():
        seen.update(range(cell.offset, cell.offset + cell.size))
    for span in layout.RESERVED:
        seen.update(range(span.start, span.end))
    return [i for i in range(max(layout.SIZE, *seen) + 1) if seen[i] != (i < layout.SIZE)]
