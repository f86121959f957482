# SPDX-License-Identifier: Apache-2.0
"""Writing what `attest.layout` reads: the fields of a fixed layout at their offsets."""

from __future__ import annotations

from collections.abc import Mapping

from attest.layout import Layout, cells


def encode(layout: type[Layout], values: Mapping[str, int | bytes]) -> bytes:
    """The layout's bytes; a field without a value is zero.

    Raises:
        ValueError: a field that the layout lacks, or bytes of another length than its own.
    """
    known = cells(layout)
    if unknown := values.keys() - known.keys():
        raise ValueError(f"{layout.__name__} has no {', '.join(sorted(unknown))}")
    data = bytearray(layout.SIZE)
    for name, value in values.items():
        cell = known[name]
        raw = value.to_bytes(cell.size, "little") if isinstance(value, int) else value
        if len(raw) != cell.size:
            raise ValueError(f"{name} has {len(raw)} bytes, not {cell.size}")
        data[cell.offset : cell.offset + cell.size] = raw
    return bytes(data)
