# SPDX-License-Identifier: Apache-2.0
"""Tests of `guest.worker.clean`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.worker.clean import Cleaner, Cut, EmptyReason, Repetition, StopFilter

ANSWER = "Ana and Ben go to the lake on Sunday. Cleo brings the grill."


def cleaned(text: str, *, step: int = 1, max_chars: int = 1000) -> tuple[str, EmptyReason | None]:
    cleaner = Cleaner(max_chars)
    out = ""
    for at in range(0, len(text), step):
        out += cleaner.push(text[at : at + step])
        if cleaner.ended:
            break
    last, reason = cleaner.finish()
    return out + last, reason


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_an_ordinary_answer_passes_unchanged_in_any_pieces(step: int) -> None:
    assert cleaned(ANSWER, step=step) == (ANSWER, None)


@pytest.mark.parametrize(
    "mark",
    ["<|im_end|>", "<|im_start|>assistant\n", "<|endoftext|>", "</s>", "<s>", "[/INST]", "<unk>"],
)
@pytest.mark.parametrize("step", [1, 5, 1000])
def test_a_template_token_is_removed_in_any_pieces(mark: str, step: int) -> None:
    assert cleaned(f"Ana {mark}comes.", step=step) == ("Ana comes.", None)


@pytest.mark.parametrize("text", ["1 < 2 and 3 <b", "see [1] and [AB", "a <3 b", "x <|", "<|y"])
def test_what_only_begins_like_a_template_token_stays(text: str) -> None:
    assert cleaned(text) == (text, None)


def test_characters_that_steer_a_terminal_are_removed() -> None:
    assert cleaned("red \x1b[31m and \u202eback\u202c\x07") == ("red [31m and back", None)


def test_leading_white_space_is_removed() -> None:
    assert cleaned(" \n Ana comes.") == ("Ana comes.", None)


def test_lines_are_kept() -> None:
    assert cleaned("one\ntwo") == ("one\ntwo", None)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("He said no, no, no, no, no, no", "He said no, no, no,"),
        ("She is late and sad and sad and sad and sad", "She is late and sad and sad"),
        (
            "He will take the bus at nine. He will take the bus at nine. He will",
            "He will take the bus at nine.",
        ),
    ],
)
@pytest.mark.parametrize("step", [1, 4])
def test_an_answer_that_goes_in_circles_ends_there(text: str, kept: str, step: int) -> None:
    assert cleaned(text, step=step) == (kept, None)


def test_ending_in_circles_is_told() -> None:
    cleaner = Cleaner(1000)
    cleaner.push("no " * 9)
    assert (cleaner.ended, cleaner.cut) == (True, Cut.REPETITION)
    assert cleaner.push("more") == ""


@pytest.mark.parametrize(
    "text",
    [
        "No, no, no, he said and left.",
        "Ana was very very happy, and Ben was very very sad.",
        "Ana will bring the salad and Ben will bring the salad bowl and the bread.",
    ],
)
def test_a_phrase_that_is_only_said_again_stays(text: str) -> None:
    assert cleaned(text) == (text, None)


def test_an_answer_has_at_most_so_many_characters() -> None:
    cleaner = Cleaner(10)
    out = cleaner.push("Ana and Ben go out")
    assert (out + cleaner.finish()[0], cleaner.cut) == ("Ana and Be", Cut.LENGTH)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", EmptyReason.SILENT),
        (" \n\n ", EmptyReason.ONLY_SPACE),
        ("<|im_start|>assistant\n<|im_end|> ", EmptyReason.ONLY_TEMPLATE),
    ],
)
def test_an_empty_answer_says_why(text: str, reason: EmptyReason) -> None:
    assert cleaned(text) == ("", reason)


@given(st.lists(st.text(st.sampled_from("ab <|im_>[INST]/\n\x1b\u202e."), max_size=9), max_size=30))
def test_pieces_decide_nothing_and_no_bound_breaks(pieces: list[str]) -> None:
    text = "".join(pieces)
    cleaner = Cleaner(40)
    out = "".join(cleaner.push(piece) for piece in pieces)
    last, reason = cleaner.finish()
    out += last
    assert (out, reason) == cleaned(text, step=1, max_chars=40)
    assert len(out) <= 40
    assert (out == "") == (reason is not None)
    assert "\x1b" not in out
    assert "\u202e" not in out


@given(st.lists(st.sampled_from("abc"), max_size=60))
def test_words_held_for_repetition_never_exceed_the_words_so_far(words: list[str]) -> None:
    repetition = Repetition()
    for count, word in enumerate(words, start=1):
        surplus, complete = repetition.add(word)
        assert 0 <= surplus <= count
        if complete:
            break


@pytest.mark.parametrize("step", [1, 2, 3, 100])
def test_text_ends_before_the_first_stop_string(step: int) -> None:
    text, gate, out = "one END\ntwo", StopFilter(("\n", "END")), ""
    for at in range(0, len(text), step):
        out += gate.push(text[at : at + step])
    assert (out + gate.finish(), gate.stopped) == ("one ", True)


def test_half_a_stop_string_comes_out_when_nothing_follows() -> None:
    gate = StopFilter(("END",))
    assert (gate.push("one EN"), gate.finish(), gate.stopped) == ("one ", "EN", False)
