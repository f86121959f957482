# SPDX-License-Identifier: Apache-2.0
"""What every explanation is made of: titled sections of fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that the bytes say.

    Attributes:
        name: its name, the specification's where it has one.
        value: what it says.
        means: what that is about.
        unusual: why somebody should look twice; empty for nothing.
        at: its offset in bytes, where the form has fixed ones.
    """

    name: str
    value: str
    means: str = ""
    unusual: str = ""
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Fields that belong together."""

    title: str
    fields: tuple[Field, ...]


def section_lines(section: Section) -> Iterator[str]:
    """The section for people: what is unusual is marked with an exclamation mark."""
    yield section.title
    width = max((len(field.name) for field in section.fields), default=0)
    for field in section.fields:
        place = "" if field.at is None else f"0x{field.at:03x}"
        yield f"  {place:5}  {field.name:{width}}  {field.value}".rstrip()
        if field.means:
            yield f"  {'':5}  {'':{width}}    {field.means}"
        if field.unusual:
            yield f"  {'!':5}  {'':{width}}    {field.unusual}"
