# SPDX-License-Identifier: Apache-2.0
"""The three forms of a chat, their limits, and that no text at all does anything else."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealroom.chat import Chat, Form, read_chat
from sealroom.chat.lines import CHAT_MAX_BYTES, LINE_MAX_CHARS, MESSAGES_MAX
from sealroom.errors import ChatFormatError, InputError
from wire.api import Message

LRM, NNBSP, NBSP, FSI, PDI = "\u200e", "\u202f", "\u00a0", "\u2068", "\u2069"


def read(*lines: str) -> Chat:
    return read_chat("\n".join(lines).encode())


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ("[12/03/2025, 18:04:11] Ana: hi", "12/03/2025, 18:04:11"),
        ("12/03/2025, 18:04 - Ana: hi", "12/03/2025, 18:04"),
        ("3/12/25, 6:04 PM - Ana: hi", "3/12/25, 6:04 PM"),
        (f"3/12/25, 6:04{NNBSP}PM - Ana: hi", "3/12/25, 6:04 PM"),
        (f"[3/12/25, 6:04:11{NNBSP}PM] Ana: hi", "3/12/25, 6:04:11 PM"),
        (f"12/3/25, 6:04{NBSP}p.{NBSP}m. - Ana: hi", "12/3/25, 6:04 p. m."),
        ("12.03.25, 18:04 - Ana: hi", "12.03.25, 18:04"),
        ("2025-03-12, 18:04 - Ana: hi", "2025-03-12, 18:04"),
        ("12-03-2025 18.04 - Ana: hi", "12-03-2025 18.04"),
        (f"{LRM}[12/03/2025, 18:04:11] Ana: hi", "12/03/2025, 18:04:11"),
        ("\ufeff12/03/2025, 18:04 - Ana: hi\r", "12/03/2025, 18:04"),
    ],
)
def test_each_phones_way_of_writing_a_line_is_read(line: str, time: str) -> None:
    assert read(line) == Chat(Form.WHATSAPP, (Message("Ana", time, "hi"),), skipped=0)


def test_lines_without_a_stamp_continue_the_message() -> None:
    chat = read(
        "12/03/2025, 18:04 - Ana: one", "two", "", "three: four", "12/03/2025, 18:05 - Bo: x"
    )
    assert [message.text for message in chat.messages] == ["one\ntwo\n\nthree: four", "x"]


def test_a_system_line_is_skipped_and_counted_with_what_continues_it() -> None:
    chat = read(
        "12/03/2025, 18:00 - Messages and calls are end-to-end encrypted.",
        "Tap to learn more.",
        "12/03/2025, 18:04 - Ana: hi",
        "12/03/2025, 18:05 - Ana added Bo",
    )
    assert [message.text for message in chat.messages] == ["hi"]
    assert chat.skipped == 2


@pytest.mark.parametrize(
    "line",
    [
        "12/03/2025, 18:04 - Bo: <Media omitted>",
        "12/03/2025, 18:04 - Bo: <Medien ausgeschlossen>",
        "12/03/2025, 18:04 - Bo: You deleted this message",
        "12/03/2025, 18:04 - Bo: ",
        f"[12/03/2025, 18:04:11] Bo: {LRM}image omitted",
        f"[12/03/2025, 18:04:11] Trip: {LRM}Bo joined using this group's invite link",
        f"12/03/2025, 18:04 - Bo: {LRM}IMG-20250312-WA0001.jpg (file attached)",
    ],
)
def test_what_carries_no_words_is_skipped_and_counted(line: str) -> None:
    chat = read("12/03/2025, 18:04 - Ana: hi", line)
    assert ([message.sender for message in chat.messages], chat.skipped) == (["Ana"], 1)


def test_the_caption_under_omitted_media_is_kept() -> None:
    chat = read("12/03/2025, 18:04 - Ana: <Media omitted>", "the view from here")
    assert chat.messages == (Message("Ana", "12/03/2025, 18:04", "the view from here"),)


def test_marks_that_steer_the_direction_of_text_are_removed() -> None:
    chat = read(
        f"12/03/2025, 18:04 - {LRM}~{NNBSP}Ana: ask @{FSI}Bo{PDI} <This message was edited>"
    )
    assert chat.messages == (Message("~ Ana", "12/03/2025, 18:04", "ask @Bo"),)


def test_a_time_in_the_middle_of_a_message_starts_nothing() -> None:
    chat = read("12/03/2025, 18:04 - Ana: see", "on 12/03/2025, 18:05 - Bo: said so")
    assert len(chat.messages) == 1


def test_json_lines_are_read() -> None:
    lines = [
        '{"sender":"Ana","time":"18:04","text":"hi\\nyou"}',
        "",
        '{"text":"x","time":"","sender":"Bo"}',
    ]
    assert read(*lines).messages == (Message("Ana", "18:04", "hi\nyou"), Message("Bo", "", "x"))


@pytest.mark.parametrize(
    "line",
    [
        '{"sender":"Ana","text":"hi"}',
        '{"sender":"Ana","time":"","text":"hi","mood":"good"}',
        '{"sender":"Ana","sender":"Bo","time":"","text":"hi"}',
        '{"sender":"Ana","time":1,"text":"hi"}',
        '{"sender":"","time":"","text":"hi"}',
        '{"sender":"Ana","time":"","text":{"a":1}}',
        '{"sender":"Ana","time":"","text":"\\ud800"}',
        '{"sender":"Ana","time":"","text":"\\u0000"}',
        '{"sender":"Ana","time":"","text":"hi"} {}',
        "{" * 5000,
        "[" * 60000,
        '{"sender":' + "1" * 5000 + "}",
        "Ana: hi",
        "7",
        '"hi"',
        "[]",
    ],
)
def test_a_json_line_of_any_other_shape_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(ChatFormatError) as caught:
        read('{"sender":"Ana","time":"","text":"hi"}', "", line)
    assert caught.value.line == 3


def test_plain_lines_are_read_and_indented_lines_continue() -> None:
    chat = read("Ana: hi", "  and more", "", "Dr. Bo Li: at 18:04 - ok?")
    assert chat.form is Form.PLAIN
    assert chat.messages == (
        Message("Ana", "", "hi\nand more"),
        Message("Dr. Bo Li", "", "at 18:04 - ok?"),
    )


def test_a_plain_line_without_a_name_is_refused_with_its_number() -> None:
    with pytest.raises(ChatFormatError) as caught:
        read("Ana: hi", "and no name here")
    assert caught.value.line == 2


@pytest.mark.parametrize("first", ["Once upon a time", "<html>", "12/03/2025, 18:04 Ana hi", ": x"])
def test_an_unknown_form_is_refused_with_the_number_of_its_first_line(first: str) -> None:
    with pytest.raises(ChatFormatError) as caught:
        read("", "", first)
    assert caught.value.line == 3
    assert "WhatsApp" in caught.value.wanted


@pytest.mark.parametrize("data", [b"", b"\n \n", b"12/03/2025, 18:04 - Ana: <Media omitted>"])
def test_a_chat_without_a_message_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        read_chat(data)


@pytest.mark.parametrize("bad", [b"Ana: \xff", b"Ana: a\0b", b"Ana: " + b"x" * LINE_MAX_CHARS])
def test_a_line_that_is_no_text_is_refused_with_its_number(bad: bytes) -> None:
    with pytest.raises(ChatFormatError) as caught:
        read_chat(b"Ana: hi\n" + bad)
    assert caught.value.line == 2


def test_a_file_over_the_limit_is_refused() -> None:
    with pytest.raises(InputError):
        read_chat(b"\n" * (CHAT_MAX_BYTES + 1))


def test_a_chat_of_too_many_messages_is_refused_with_the_number_of_the_line() -> None:
    with pytest.raises(ChatFormatError) as caught:
        read_chat(b"A: x\n" * (MESSAGES_MAX + 1))
    assert caught.value.line == MESSAGES_MAX + 1


def test_no_error_repeats_what_a_line_says() -> None:
    for lines in (("SECRET",), ("Ana: hi", "SECRET"), ('{"SECRET":1}',), ("12/03/2025 SECRET",)):
        with pytest.raises(ChatFormatError) as caught:
            read(*lines)
        assert "SECRET" not in str(caught.value)


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
lines = st.one_of(
    words,
    words.map(lambda text: f"12/03/2025, 18:04 - Ana: {text}"),
    words.map(lambda text: f"[1/2/25, 6:04:11{NNBSP}AM] {text}"),
    words.map(lambda text: f"Ana: {text}"),
    words.map(lambda text: json.dumps({"sender": "Ana", "time": "", "text": text})),
)


@given(st.lists(lines, max_size=8))
def test_any_text_is_a_chat_or_is_refused(chat_lines: list[str]) -> None:
    try:
        chat = read(*chat_lines)
    except InputError:
        return
    assert chat.messages
    assert all(message.text.strip() and message.sender for message in chat.messages)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_chat_or_are_refused(data: bytes) -> None:
    try:
        assert read_chat(data).messages
    except InputError:
        return


EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "chats").iterdir())


def test_there_are_sample_chats_in_every_form() -> None:
    forms = {read_chat(path.read_bytes()).form for path in EXAMPLES}
    assert forms == set(Form)
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_sample_chat_is_read(path: Path) -> None:
    chat = read_chat(path.read_bytes())
    assert len(chat.messages) >= 8
    assert len({message.sender for message in chat.messages}) >= 2
