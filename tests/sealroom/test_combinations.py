# SPDX-License-Identifier: Apache-2.0
"""Options that go together: exactly one row's, or the rows are told."""

from argparse import Namespace

import pytest

from sealroom.combinations import Combination, wrong_options

ROWS = (
    Combination("file"),
    Combination("hcl", ("cert",), ("crl",)),
    Combination("hcl", ("quote", "collateral")),
)


def options(*names: str) -> Namespace:
    absent: dict[str, object] = {"file": None, "hcl": None, "cert": [], "crl": None, "tdx": False}
    return Namespace(**absent | dict.fromkeys(names, "x"))


@pytest.mark.parametrize("names", ["file", "hcl cert", "hcl cert crl", "hcl quote collateral"])
def test_a_rows_own_options_are_right(names: str) -> None:
    assert wrong_options(options(*names.split()), ROWS) == ""


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("", "wanted one of EVIDENCE, --hcl"),
        ("cert", "wanted one of EVIDENCE, --hcl"),
        ("file cert", "EVIDENCE goes with nothing else, got --cert"),
        ("hcl", "--hcl goes with --cert [--crl] or --quote --collateral, got nothing else"),
        ("hcl crl", "--hcl goes with --cert [--crl] or --quote --collateral, got --crl"),
        (
            "hcl quote cert",
            "--hcl goes with --cert [--crl] or --quote --collateral, got --cert --quote",
        ),
    ],
)
def test_other_options_are_told_what_goes_with_what(names: str, says: str) -> None:
    assert wrong_options(options(*names.split()), ROWS) == says


def test_an_empty_word_is_given_all_the_same() -> None:
    assert wrong_options(Namespace(file="", hcl="", cert=[]), ROWS).startswith("EVIDENCE goes")


def test_a_row_without_a_name_is_for_no_options_at_all() -> None:
    rows = (*ROWS, Combination(""))
    assert wrong_options(options(), rows) == ""
    assert wrong_options(options("cert"), rows) == "wanted one of EVIDENCE, --hcl"
