# SPDX-License-Identifier: Apache-2.0
"""Closed records: every field, nothing besides, one spelling, in both notations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError
from attest.closed import ITEMS_MAX, Notation, read_record, write_record
from attest.scalars import Base64, Base64Url, Hex, Text, Whole


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class Inner:
    low: Annotated[int, Whole(1, 9)]
    high: Annotated[int, Whole(0, 99)]

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


@dataclass(frozen=True, kw_only=True)
class Everything:
    name: Annotated[str, Text(8)]
    size: Annotated[int, Whole(0, 2**64 - 1)]
    key: Annotated[bytes, Hex(2)]
    der: Annotated[bytes, Base64(5)]
    raw: Annotated[bytes, Base64Url(5)]
    flag: bool
    at: datetime
    colour: Colour
    colours: frozenset[Colour]
    inner: tuple[Inner, ...]
    maybe: Annotated[int, Whole(0, 9)] | None
    format: Literal["test/1"] = "test/1"


RECORD = Everything(
    name="none",
    size=2**53,
    key=b"\x0a\xff",
    der=b"\xfb\xff",
    raw=b"\xfb\xff",
    flag=True,
    at=datetime(2026, 1, 31, 12, tzinfo=UTC),
    colour=Colour.RED,
    colours=frozenset(Colour),
    inner=(Inner(low=1, high=2),),
    maybe=None,
)
TEXT: dict[str, Any] = {
    "name": "none",
    "size": "9007199254740992",
    "key": "0aff",
    "der": "+/8=",
    "raw": "-_8",
    "flag": "true",
    "at": "2026-01-31T12:00:00Z",
    "colour": "red",
    "colours": ["blue", "red"],
    "inner": [{"low": "1", "high": "2"}],
    "maybe": "none",
    "format": "test/1",
}
JSON = TEXT | {"size": 2**53, "flag": True, "inner": [{"low": 1, "high": 2}], "maybe": None}
NOTATIONS = [(Notation.TEXT, TEXT), (Notation.JSON, JSON)]


@pytest.mark.parametrize(("notation", "value"), NOTATIONS)
def test_a_record_reads_back_as_written(notation: Notation, value: dict[str, Any]) -> None:
    assert write_record(RECORD, notation) == value
    assert read_record(Everything, value, "test", notation) == RECORD


def test_what_may_be_absent_may_be_present() -> None:
    record = replace(RECORD, maybe=3)
    assert read_record(Everything, TEXT | {"maybe": "3"}, "test") == record
    assert read_record(Everything, write_record(record), "test") == record


@pytest.mark.parametrize("name", ["n", "n" * 8])
def test_text_may_be_as_short_and_as_long_as_its_limits(name: str) -> None:
    assert read_record(Everything, TEXT | {"name": name}, "test") == replace(RECORD, name=name)


def test_in_a_list_that_is_no_set_an_item_may_stand_twice() -> None:
    twice = replace(RECORD, inner=RECORD.inner * 2)
    assert read_record(Everything, write_record(twice), "test") == twice


@pytest.mark.parametrize("name", list(TEXT))
def test_every_field_is_required(name: str) -> None:
    with pytest.raises(FormatError, match=f"test: missing {name}"):
        read_record(Everything, {k: v for k, v in TEXT.items() if k != name}, "test")


@pytest.mark.parametrize("name", ["other", 3, None])
def test_an_unknown_field_is_refused(name: object) -> None:
    with pytest.raises(FormatError, match=f"unknown {name!r}"):
        read_record(Everything, TEXT | {name: "x"}, "test")


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_a_record_is_a_mapping(value: object) -> None:
    with pytest.raises(FormatError, match="wanted a mapping"):
        read_record(Everything, value, "test")


WRONG: list[tuple[str, Any]] = [
    *(("name", v) for v in ("", "nine char", 3, None, ["x"])),
    *(("size", v) for v in ("-1", "+1", "01", "1_0", " 1", "٤", "1.0", "", "18446744073709551616")),
    ("size", 3),
    ("size", "9" * 5000),
    *(("key", v) for v in ("0AFF", "0af", "0aff00", "0x0a", "zzzz", b"\x0a\xff")),
    *(("der", v) for v in ("+/8", "-_8=", "+/9=", " +/8=", "", "AAAAAAAA", "+/8=\n")),
    *(("raw", v) for v in ("-_8=", "+/8", "-_9", "", "AAAAAAAA", "-_8 ", "-")),
    *(("flag", v) for v in ("True", "yes", "1", "", True)),
    *(("at", v) for v in ("2026-01-31", "2026-01-31T12:00:00+00:00", "2026-1-31T12:00:00Z", "x")),
    *(("colour", v) for v in ("green", "RED", "", None)),
    *(("colours", v) for v in ("red", ["red", "red"], ["green"], {"red": "blue"})),
    ("inner", ["x"]),
    ("inner", [{"low": "1", "high": "2"}] * (ITEMS_MAX + 1)),
    ("maybe", "null"),
    ("maybe", ""),
    ("format", "test/2"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_another_spelling_is_refused_with_its_path(name: str, value: object) -> None:
    with pytest.raises(FormatError) as caught:
        read_record(Everything, TEXT | {name: value}, "test")
    assert caught.value.what.startswith(f"test.{name}")
    assert caught.value.offset is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", "1"),
        ("size", True),
        ("size", 1.0),
        ("flag", "true"),
        ("flag", 1),
        ("maybe", "none"),
    ],
)
def test_json_has_types_of_its_own(name: str, value: object) -> None:
    with pytest.raises(FormatError):
        read_record(Everything, JSON | {name: value}, "test", Notation.JSON)


def test_what_a_record_itself_refuses_has_a_path_too() -> None:
    with pytest.raises(FormatError, match=r"test\.inner\[1\]: low is above high"):
        read_record(
            Everything,
            TEXT | {"inner": [{"low": "1", "high": "2"}, {"low": "3", "high": "2"}]},
            "test",
        )


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(list(TEXT)) | st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(name=st.sampled_from(list(TEXT)), value=TREES, notation=st.sampled_from(list(Notation)))
def test_any_value_gives_a_record_or_a_format_error(
    name: str, value: object, notation: Notation
) -> None:
    whole = (TEXT if notation is Notation.TEXT else JSON) | {name: value}
    try:
        record = read_record(Everything, whole, "test", notation)
    except FormatError as error:
        assert error.what.startswith("test")
    else:
        written = write_record(record, notation)
        assert {k: sorted(v) if k == "colours" else v for k, v in whole.items()} == written
