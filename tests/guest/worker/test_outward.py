# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: RUF001 - look-alikes are what these tests are about
"""Tests of `guest.worker.outward`, with two readers of text that are not ours as judges."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from guest.worker.clean import EmptyReason
from guest.worker.links import NUMBER_MIN_DIGITS, find_links, plain
from guest.worker.outward import ELISION, Carried, EmptyAnswerError, Outward, shown

NOTHING = Carried.of("")
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
PLAIN_TOKENS = {"paragraph_open", "inline", "paragraph_close", "text", "softbreak"}

OFFERED = re.compile(
    r"(?<![a-z])https?:\S|www\.\w|[\w.]@[\w-]+\.\w|\b(?:mailto|tel|javascript):\w"
    r"|\b[a-z0-9][a-z0-9-]*\.(?:com|net|org|example|de|uk|zip)\b"
    r"|(?<!\w)\d(?:(?:[ ()-]{0,2}|\.)\d){6,}",
    re.IGNORECASE,
)
"""Roughly what messengers make a link of, or offer to call."""

FRAGMENTS = [
    *("http://", "https:", "//", "www.", "evil", ".com", ".example", ".", "@", ":", "/", "?q="),
    *("mailto:", "javascript:", "tel:", "a", "Ana", "é", "谢谢", "。", "مرحبا", "नहीं", "👩", "…"),
    *("<b>", "</b>", "<!--", "<", ">", "[", "](", ")", "!", "`", "```", "*", "**", "_", "__", "~~"),
    *("#", "-", "+", "=", "|", "1.", "2)", "&lt;", "&#60;", "\\", "---", "'", '"', "("),
    *(
        "555",
        "1234567",
        "+49",
        "22.11.2026",
        "(0)",
        "-",
        "٥٥٥",
        "５",
        " ",
        " ",
        " ",
        "\n",
        "\t",
        "\r",
    ),
    *("\u200b", "\u200d", "\u202e", "\ufe0f", "\u00ad", "\x1b", "\x00", "\u2028", "\U000e0041"),
    *("\ue000", "\u3164", "\U000e0101", "ｗｗｗ．", "：", "／／", "\u2024", "\u0301", "\U0001fadf"),
]
texts = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=3)), max_size=24).map(
    "".join
)


def let_out(text: str, carried: Carried = NOTHING, *, cuts: list[int] | None = None) -> str:
    outward, out, last = Outward(carried), "", 0
    for cut in [*(cuts or []), len(text)]:
        out += outward.push(text[last:cut])
        last = cut
    return out + outward.finish()


def words(text: str) -> set[str]:
    return {word.rstrip(".,;!?") for word in text.split()} | set(text.split())


@given(texts)
def test_no_program_finds_anything_to_open_where_nothing_was_carried(text: str) -> None:
    out = let_out(text)
    assert all(not [*find_links(word)] for word in out.split())
    assert not OFFERED.search(re.sub(r"\d{1,4}([-./])\d{1,2}\1\d{1,4}", "date", out))


@given(texts)
def test_no_markup_comes_out_where_none_was_carried(text: str) -> None:
    kinds = set()
    for token in MARKDOWN.parse(let_out(text)):
        kinds |= {token.type, *(child.type for child in token.children or [])}
    assert kinds <= PLAIN_TOKENS


@given(texts)
def test_nothing_invisible_comes_out_where_nothing_was_carried(text: str) -> None:
    out = let_out(text)
    assert all(unicodedata.category(char)[0] != "C" or char == "\n" for char in out)
    assert not re.search("[\u3164\ufe00-\ufe0f\U000e0000-\U000effff]", out)


@given(texts, texts)
def test_what_comes_out_of_a_rewritten_text_stood_in_it(text: str, own: str) -> None:
    carried = Carried.of(own, own=own)
    for word in let_out(text, carried).split():
        if word in words(own) or word.rstrip(".,;!?") in words(own):
            continue
        assert plain(word) == word
        for at in find_links(word):
            assert word[at.start : at.end] in own


@given(texts, texts, st.data())
def test_pieces_decide_nothing(text: str, own: str, data: st.DataObject) -> None:
    carried = Carried.of(own, own=own)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=10).map(sorted))
    assert let_out(text, carried, cuts=cuts) == let_out(text, carried)
    assert let_out(text, carried, cuts=[*range(len(text))]) == let_out(text, carried)


@given(texts, texts)
def test_what_comes_out_is_never_longer(text: str, own: str) -> None:
    assert len(let_out(text, Carried.of(own, own=own))) <= len(text)


@given(texts)
def test_a_text_that_stands_in_the_request_passes(text: str) -> None:
    visible = " ".join(let_out(text, Carried.of(text)).split())
    assert let_out(visible, Carried.of(visible, own=visible)) == visible


@given(texts)
def test_what_came_out_once_comes_out_again_unchanged(text: str) -> None:
    once = let_out(text)
    assert let_out(once, Carried.of(once)) == once


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Ana goes to https://evil.example/x, then home.", f"Ana goes to {ELISION}, then home."),
        ("![x](http://collect.example/p?d=1)", f"!(x)({ELISION})"),
        ("Call +49 151 123 4567 now.", f"Call {ELISION} now."),
        ("Call 555-1234-567.", f"Call {ELISION}."),
        ("请看https://a.example，再见。", f"{ELISION}，再见。"),
        ("Room 2.14 at 14:30 on 22.11.2026.", "Room 2.14 at 14:30 on 22.11.2026."),
        ("a.com1234567", ELISION * 2),
        ("0_mailto:x", f"0\u02cd{ELISION}"),
        ("# Title\n- one\n1. two", "Title\none\n1\u2024 two"),
        ("a  b\t c \n d", "a b c\nd"),
    ],
)
def test_what_was_not_carried_is_left_out(text: str, wanted: str) -> None:
    assert let_out(text) == wanted


@pytest.mark.parametrize(
    "text", ["http://a.example/x", "see (a@b.example).", "**b** <i> `c`", "- x", "1. x"]
)
def test_a_summary_repeats_no_link_and_no_markup_of_the_chat(text: str) -> None:
    assert let_out(text, Carried.of(text)) != text
    assert let_out(text, Carried.of(text, own=text)) == text


@pytest.mark.parametrize(
    "said", ["+49 151 123 4567", "0151-1234567", "(0151) 1234567", "491511234567"]
)
def test_a_number_that_was_read_may_be_said_in_another_spelling(said: str) -> None:
    carried = Carried.of("Eve: my number is +49 151 1234567\nBen: 0151 1234567")
    assert let_out(f"Call {said}, please", carried) == f"Call {said}, please"


@pytest.mark.parametrize("said", ["+49 151 123 4568", "49151 1234567 8", "7654321"])
def test_a_number_that_was_not_read_is_left_out(said: str) -> None:
    carried = Carried.of("Eve: my number is +49 151 1234567")
    assert let_out(f"Call {said}, please", carried) == f"Call {ELISION}, please"


def test_numbers_of_two_messages_are_two_numbers() -> None:
    carried = Carried.of("Ana: bring 1200\nBen: or 340")
    assert let_out("Call 1200340", carried) == f"Call {ELISION}"


@pytest.mark.parametrize(
    "other",
    [
        "https://b.example/y",
        "https://a.example/x?leak=Ana",
        "HTTPS://A.example/x",
        "a.example/x",
        "a.example",
    ],
)
def test_another_spelling_of_a_carried_link_is_another_link(other: str) -> None:
    own = "see https://a.example/x"
    assert let_out(f"look: {other}", Carried.of(own, own=own)) == f"look: {ELISION}"


def test_joiners_come_out_where_the_request_has_them() -> None:
    text = "می\u200cخواهم 👩\u200d❤\ufe0f\u200d👨"
    assert let_out(text, Carried.of(text)) == text
    assert let_out(text) == "میخواهم 👩❤👨"


def test_a_joiner_alone_carries_nothing() -> None:
    carried = Carried.of("a\u200db\ufe0f")
    assert let_out("\u200d\u200dx\u200d\u200d\u200d\u200dy \ufe0f", carried) == "x\u200d\u200dy"


def test_a_character_that_unicode_has_not_given_out_comes_out_if_carried() -> None:
    assert let_out("a\u0378") == "a"
    assert let_out("a\u0378", Carried.of("\u0378")) == "a\u0378"


def test_a_number_waits_until_it_is_known_whole() -> None:
    outward = Outward(NOTHING)
    assert outward.push("Call 555 ") == "Call"
    assert outward.push("12 ") == ""
    assert outward.push("or ") == " 555 12 or"
    assert outward.finish() == ""


def shown_text(pieces: list[str], max_chars: int = 600) -> str:
    return "".join(shown(pieces, max_chars=max_chars, carried=NOTHING))


def test_what_the_cleaner_takes_away_joins_no_link() -> None:
    assert shown_text(["Go to ev<|im_end|>il.exam<s>ple", " now"]) == f"Go to {ELISION} now"


def test_the_beginning_of_an_answer_is_judged_like_the_rest() -> None:
    found = shown([" goes home"], begins="evil.example", max_chars=600, carried=NOTHING)
    assert "".join(found) == f"{ELISION} goes home"


def test_an_answer_ends_where_the_cleaner_ends_it() -> None:
    assert len(shown_text(["word "] + [f"{word} x " for word in range(999)], 50)) <= 50


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([], EmptyReason.SILENT),
        (["\n ", " "], EmptyReason.ONLY_SPACE),
        (["</s>"], EmptyReason.ONLY_TEMPLATE),
        (["\u200b", "- ", "#"], EmptyReason.ONLY_UNSEEN),
    ],
)
def test_an_answer_of_nothing_is_an_error(pieces: list[str], reason: EmptyReason) -> None:
    with pytest.raises(EmptyAnswerError) as caught:
        shown_text(pieces)
    assert caught.value.reason is reason


@pytest.mark.parametrize("pieces", [[], [" "], ["\n", " "]])
def test_a_beginning_to_which_the_model_adds_nothing_is_no_answer(pieces: list[str]) -> None:
    with pytest.raises(EmptyAnswerError) as caught:
        "".join(shown(pieces, begins="Ana", max_chars=600, carried=NOTHING))
    assert caught.value.reason is EmptyReason.SILENT


def test_what_was_carried_is_not_shown() -> None:
    assert "evil" not in repr(Carried.of("evil.example", own="evil.example"))


@pytest.mark.parametrize(
    "unit", ["a", "_", "a.", "@", "//", "1", "1.", "http:", "&", "谢", "[", "data:"]
)
def test_a_long_word_takes_no_long_time(unit: str) -> None:
    """A word as long as the longest answer; a quadratic rule runs into the time limit of a test."""
    text = unit * (25_000 // len(unit))
    assert len(let_out(text)) <= len(text)
    assert NUMBER_MIN_DIGITS > 0
