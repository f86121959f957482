# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: RUF001 - look-alikes are what these tests are about
"""Tests of `guest.worker.links`: what counts as a link, a long number, markup."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.worker.links import (
    FILE_ENDINGS,
    SCHEMES,
    canonical,
    find_links,
    find_numbers,
    number_word,
    plain,
    plain_first,
)

ADDRESSES = [
    "https://evil.example/x?a=b#c",
    "HTTP://EVIL.EXAMPLE",
    "ftp://10.0.0.1/x",
    "hxxps://evil.example",
    "//evil.example",
    "//evil/x",
    "www.evil",
    "evil.example",
    "evil.example:8080/path",
    "sub.evil.co.uk",
    "xn--e1afmkfd.xn--p1ai",
    "пример.рф",
    "例子.中国",
    "еvil.com",  # a Cyrillic letter first
    "192.168.0.1",
    "ana@evil.example",
    "a@b",
    "mailto:ana",
    "tel:+4915112345678",
    "javascript:alert",
    "data:text/html,x",
    "plan.pdf.example",
    "evil.example-x",
    "evil.zip",
]


def linked(word: str) -> list[str]:
    return [word[at.start : at.end] for at in find_links(word)]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_found_whole(address: str) -> None:
    assert linked(address) == [address]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    ("before", "after"), [("(", ")."), ('"', '",'), ("\u201e", "\u201c"), ("", "!")]
)
def test_the_marks_of_the_sentence_are_not_part_of_an_address(
    address: str, before: str, after: str
) -> None:
    assert linked(before + address + after) == [address]


@pytest.mark.parametrize(
    "hidden",
    [
        "ev\u200bil.exam\u00adple",  # zero-width space, soft hyphen
        "ｈｔｔｐ：／／ｅｖｉｌ",
        "evil．example",
        "evil。example",
        "evil\uff61example",
        "http:\u2215\u2215evil",
        "http\u2236//evil",
        "evil\ua4f8example",
        "evil\u2024example",
        "ana＠evil",
        "𝐞𝐯𝐢𝐥.𝐞𝐱𝐚𝐦𝐩𝐥𝐞",
        "ⓔⓥⓘⓛ.example",
        "١٩٢.١٦٨.٠.١",  # Arabic-Indic digits
        "e\u0301vil.example\u0301",
        "https:\u00af",  # an accent that NFKC would make a space and a combining mark
    ],
)
def test_an_address_in_disguise_is_found(hidden: str) -> None:
    assert linked(hidden) == [hidden]


@pytest.mark.parametrize(
    "word",
    [
        *("Mr.", "e.g.", "p.m.", "U.S.", "24/7", "and/or", "14:30", "2.14", "v1.2.3", "22.11.2026"),
        *("3,50", "@ana", "#tag", "C++", "well...then", "wait…what", "Ana:hello", "data:", "50%"),
        *("我来。他走。", "是的，我来。", "-", ".", "..", "a.b", "...net"),
    ],
)
def test_an_ordinary_word_is_no_address(word: str) -> None:
    assert linked(word) == []


@pytest.mark.parametrize("ending", sorted(FILE_ENDINGS))
def test_a_file_name_is_no_address(ending: str) -> None:
    assert linked(f"plan.{ending}") == []
    assert linked(f"evil.example.{ending}") == [f"evil.example.{ending}"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_scheme_that_opens_something_makes_an_address(scheme: str) -> None:
    assert linked(f"{scheme}:5") == [f"{scheme}:5"]


def test_each_address_of_a_sentence_without_spaces_is_found() -> None:
    assert linked("请看https://a.example，还有b.example。再见") == [
        "请看https://a.example",
        "还有b.example",
    ]


@pytest.mark.parametrize(
    ("word", "digits"),
    [
        ("5551234", "5551234"),
        ("+49(151)123-4567", "491511234567"),
        ("tel.:030/1234567x", "0301234567"),
        ("５５５１２３４", "5551234"),
        ("٥٥٥١٢٣٤", "5551234"),
        ("电话13812345678。", "13812345678"),
    ],
)
def test_a_long_number_is_found_in_any_digits(word: str, digits: str) -> None:
    assert [found for _, found in find_numbers(word)] == [digits]


@pytest.mark.parametrize(
    "word", ["555123", "22.11.2026", "2026-11-22", "2026年11月22日", "14:30:00"]
)
def test_a_date_or_a_short_number_is_no_long_one(word: str) -> None:
    assert [*find_numbers(word)] == []


@pytest.mark.parametrize(
    ("word", "digits"),
    [("+49", "49"), ("(0)151", "0151"), ("555-", "555"), ("-", ""), ("4567,", "4567")],
)
def test_a_word_of_digits_can_be_part_of_a_number(word: str, digits: str) -> None:
    assert number_word(word) == digits


@pytest.mark.parametrize("word", ["22.11.2026", "14:30", "a1", "room", "", "3rd"])
def test_a_word_with_something_else_ends_a_number(word: str) -> None:
    assert number_word(word) is None


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("<b>x</b>", "‹b›x‹/b›"),
        ("![a](b)", "!(a)(b)"),
        ("`c`", "'c'"),
        ("**b**", "\u2217\u2217b\u2217\u2217"),
        ("_em_", "\u02cdem\u02cd"),
        ("(__x__)", "(\u02cd\u02cdx\u02cd\u02cd)"),
        ("snake_case", "snake_case"),
        ("~~s~~", "\u223c\u223cs\u223c\u223c"),
        ("&lt;", "＆lt;"),
        ("&#60;", "＆#60;"),
        ("AT&T", "AT&T"),
        ("\\(", "\u2216("),
        ("a|b", "a\u2223b"),
    ],
)
def test_markup_is_replaced_one_for_one(word: str, wanted: str) -> None:
    assert plain(word) == wanted


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("#", ""),
        ("##", ""),
        ("-", ""),
        ("---", ""),
        ("+", ""),
        ("===", ""),
        ("1.", "1\u2024"),
        ("12)", "12\ufe5a"),
    ],
)
def test_a_line_begins_no_heading_and_no_list(word: str, wanted: str) -> None:
    assert plain_first(word) == wanted


@given(st.text(max_size=60))
def test_each_place_of_the_canonical_form_is_in_the_word(word: str) -> None:
    text, places = canonical(word)
    assert len(text) == len(places)
    assert places == sorted(places)
    assert all(0 <= place < len(word) for place in places)


@given(st.text(max_size=60))
def test_addresses_do_not_overlap_and_are_not_empty(word: str) -> None:
    end = 0
    for at in find_links(word):
        assert end <= at.start < at.end <= len(word)
        end = at.end
