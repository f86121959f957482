# SPDX-License-Identifier: Apache-2.0
"""Showing a fixed binary layout: one row of meaning for each field, in the order of the bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from attest.layout import cells
from sealroom.show.field import Field


@dataclass(frozen=True, slots=True)
class Row:
    """How one field is shown. `read` and `unusual` are given the whole record.

    Attributes:
        means: what the field is about.
        read: its value for people; None for hexadecimal or the number.
        unusual: why somebody should look twice; empty for nothing.
    """

    means: str
    read: Callable[[Any], str] | None = None
    unusual: Callable[[Any], str] = lambda record: ""


def layout_fields(record: Any, rows: Mapping[str, Row], base: int = 0) -> tuple[Field, ...]:
    """The fields of a record that begins at the offset `base`."""
    places = sorted(cells(type(record)).items(), key=lambda item: item[1].offset)
    return tuple(_field(record, name, rows[name], base + cell.offset) for name, cell in places)


def _field(record: Any, name: str, row: Row, at: int) -> Field:
    value = getattr(record, name)
    text = value.hex() if isinstance(value, bytes) else str(value)
    return Field(
        name=name,
        value=text if row.read is None else row.read(record),
        means=row.means,
        unusual=row.unusual(record),
        at=at,
    )
