# SPDX-License-Identifier: Apache-2.0
"""Closed-schema records: a frozen dataclass is the schema, and nothing else is accepted.

Every field must be present, one that has a default too, and none besides. A field's type says how
it is written:

* ``Annotated[..., codec]`` with a codec of `attest.scalars`; ``bool``, ``datetime``, an enumeration
  of words or a ``Literal`` need no annotation;
* ``T | None``: the word "none" in text, null in JSON;
* ``tuple[T, ...]`` and ``frozenset[T]``: a list, in a set without repetition;
* another dataclass: a mapping; `Elsewhere` names one whose module is imported with the first value.

A record's ``__post_init__`` may raise ``ValueError``; it becomes a `FormatError` with the path.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum, StrEnum
from functools import cache
from importlib import import_module
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Protocol,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from attest.errors import FormatError
from attest.scalars import Codec, Moment, OneOf, Truth

ITEMS_MAX = 1024
ERROR_MAX_CHARACTERS = 200


class Notation(Enum):
    """How scalars are written: all as text (YAML), or as JSON's numbers, booleans and null."""

    TEXT = "text"
    JSON = "json"


NONE = {Notation.TEXT: "none", Notation.JSON: None}


class Record(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


class Elsewhere(NamedTuple):
    """Stands in an annotation for the record ``name`` of a ``module`` that is not imported yet."""

    module: str
    name: str

    @property
    def record(self) -> type[Record]:
        """The record itself, from now on with its module imported."""
        found: type[Record] = getattr(import_module(self.module), self.name)
        return found


T = TypeVar("T", bound=Record)


def read_record(record: type[T], value: object, what: str, notation: Notation = Notation.TEXT) -> T:
    """Read nested dicts, lists and scalars as one frozen dataclass.

    Raises:
        FormatError: a field is missing, unknown, or not in its one spelling; ``what`` is its path.
    """
    if not isinstance(value, dict):
        raise FormatError(what, None, f"wanted a mapping, got {type(value).__name__}")
    hints = _hints(record)
    if missing := sorted(hints.keys() - value.keys()):
        raise FormatError(what, None, f"missing {', '.join(missing)}")
    if unknown := sorted(map(repr, value.keys() - hints.keys())):
        raise FormatError(what, None, f"unknown {', '.join(unknown)}"[:ERROR_MAX_CHARACTERS])
    read = {n: _read(hint, value[n], f"{what}.{n}", notation) for n, hint in hints.items()}
    try:
        return record(**read)
    except ValueError as error:
        raise FormatError(what, None, str(error)) from error


def write_record(record: Record, notation: Notation = Notation.TEXT) -> dict[str, Any]:
    """The nested form that `read_record` reads back to an equal record; sets come out sorted."""
    return {n: _write(h, getattr(record, n), notation) for n, h in _hints(type(record)).items()}


@cache
def _hints(record: type[Record]) -> dict[str, Any]:
    hints = get_type_hints(record, include_extras=True)
    return {field.name: hints[field.name] for field in fields(record)}


def _codec(hint: Any) -> Codec:
    """How a scalar of this type is written."""
    if get_origin(hint) is Annotated:
        codec: Codec = hint.__metadata__[0]
        return codec
    if get_origin(hint) is Literal:
        return OneOf({word: word for word in get_args(hint)})
    if issubclass(hint, StrEnum):
        return OneOf({word.value: word for word in hint})
    plain: dict[type, Codec] = {bool: Truth(), datetime: Moment()}
    return plain[hint]


def _record(hint: Any) -> type[Record] | None:
    """The record that a hint stands for, or None for a scalar."""
    if get_origin(hint) is Annotated:
        mark = hint.__metadata__[0]
        return mark.record if isinstance(mark, Elsewhere) else None
    return hint if isinstance(hint, type) and is_dataclass(hint) else None


def _present(hint: Any) -> Any:
    """``T`` of ``T | None``."""
    return next(part for part in get_args(hint) if part is not NoneType)


def _read(hint: Any, value: object, what: str, notation: Notation) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        absent = value == NONE[notation]
        return None if absent else _read(_present(hint), value, what, notation)
    if origin in (tuple, frozenset):
        items = list(_items(get_args(hint)[0], value, what, notation))
        if origin is frozenset and len(set(items)) != len(items):
            raise FormatError(what, None, "an item stands twice")
        return origin(items)
    if (nested := _record(hint)) is not None:
        return read_record(nested, value, what, notation)
    try:
        return _read_scalar(_codec(hint), value, notation)
    except ValueError as error:
        raise FormatError(what, None, str(error)) from error


def _read_scalar(codec: Codec, value: object, notation: Notation) -> Any:
    native = codec.native if notation is Notation.JSON else str
    if type(value) is not native:  # exactly: True is not an integer here
        raise ValueError(f"wanted {native.__name__}, got {type(value).__name__}")
    return codec.read(value if isinstance(value, str) else str(value).lower())


def _items(hint: Any, value: object, what: str, notation: Notation) -> Iterator[Any]:
    if not isinstance(value, list):
        raise FormatError(what, None, f"wanted a list, got {type(value).__name__}")
    if len(value) > ITEMS_MAX:
        raise FormatError(what, None, f"wanted at most {ITEMS_MAX} items, got {len(value)}")
    for index, item in enumerate(value):
        yield _read(hint, item, f"{what}[{index}]", notation)


def _write(hint: Any, value: Any, notation: Notation) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return NONE[notation] if value is None else _write(_present(hint), value, notation)
    if origin is tuple:
        return [_write(get_args(hint)[0], item, notation) for item in value]
    if origin is frozenset:
        return [_write(get_args(hint)[0], item, notation) for item in sorted(value)]
    if _record(hint) is not None:
        return write_record(value, notation)
    codec = _codec(hint)
    is_text = notation is Notation.TEXT or codec.native is str
    return codec.write(value) if is_text else value
