# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/processes.md are those of the code."""

import pytest

from lab import tables


def test_every_table_of_the_document_is_current() -> None:
    text = tables.DOCUMENT.read_text("utf-8")
    assert tables.current(text) == text


@pytest.mark.parametrize("name", tables.TABLES)
def test_a_table_that_was_edited_by_hand_is_made_anew(name: str) -> None:
    text = tables.DOCUMENT.read_text("utf-8")
    begin = f"<!-- table: {name} -->\n"
    edited = text.replace(begin, begin + "| a row of nobody's |\n")
    assert edited != text
    assert tables.current(edited) == text


@pytest.mark.parametrize("name", tables.TABLES)
def test_a_missing_table_is_an_error(name: str) -> None:
    text = tables.DOCUMENT.read_text("utf-8").replace(f"<!-- table: {name} -->", "")
    with pytest.raises(ValueError, match=f"no table {name}"):
        tables.current(text)
