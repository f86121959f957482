# SPDX-License-Identifier: Apache-2.0
"""The tables of the documents are those of the code."""

import pytest

from lab.tables import DOCS, TABLES, current

EACH = [(document, name) for document, tables in TABLES.items() for name in tables]


@pytest.mark.parametrize("document", TABLES)
def test_every_table_of_the_document_is_current(document: str) -> None:
    text = (DOCS / document).read_text("utf-8")
    assert current(document, text) == text


@pytest.mark.parametrize(("document", "name"), EACH)
def test_a_table_that_was_edited_by_hand_is_made_anew(document: str, name: str) -> None:
    text = (DOCS / document).read_text("utf-8")
    begin = f"<!-- table: {name} -->\n"
    edited = text.replace(begin, begin + "| a row of nobody's |\n")
    assert edited != text
    assert current(document, edited) == text


@pytest.mark.parametrize(("document", "name"), EACH)
def test_a_missing_table_is_an_error(document: str, name: str) -> None:
    text = (DOCS / document).read_text("utf-8").replace(f"<!-- table: {name} -->", "")
    with pytest.raises(ValueError, match=f"no table {name}"):
        current(document, text)
