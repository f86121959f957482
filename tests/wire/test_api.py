# SPDX-License-Identifier: Apache-2.0
"""The resources inside a request: closed schemas, limits, and that no value shows its text."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.api import (
    ANSWER_MAX_BYTES,
    MESSAGES_MAX,
    REQUEST_MAX_BYTES,
    SENDER_MAX_CHARACTERS,
    STATUS,
    TEXT_MAX_CHARACTERS,
    Answer,
    Done,
    Ended,
    ErrorCode,
    Failure,
    Message,
    Milliseconds,
    RewriteRequest,
    SummarizeRequest,
    Tone,
    parse_answer,
    parse_done,
    parse_failure,
    parse_rewrite,
    parse_summarize,
    write_answer,
    write_done,
    write_failure,
    write_rewrite,
    write_summarize,
)
from wire.bhttp_fields import STATUS_FINAL
from wire.errors import FormatError
from wire.padding import pad_answer
from wire.sse import Delta

Parse = Callable[[bytes], object]

CHAT = SummarizeRequest((Message("Ada", "10:01", "Train at nine?"), Message("Bob", "", "Yes.\n👍")))
DONE = Done(Ended.STOP, 120, 30, 0, Milliseconds(1, 2, 300, 400))
DONE_JSON = (
    b'{"ended":"stop","tokens_in":120,"tokens_out":30,"omitted":0,'
    b'"ms":{"queue":1,"open":2,"prefill":300,"decode":400}}'
)
WRITTEN: dict[str, tuple[bytes, object, Parse, bytes]] = {
    "summarize": (
        write_summarize(CHAT),
        CHAT,
        parse_summarize,
        '{"messages":[{"sender":"Ada","time":"10:01","text":"Train at nine?"},'
        '{"sender":"Bob","time":"","text":"Yes.\\n👍"}]}'.encode(),
    ),
    "rewrite": (
        write_rewrite(RewriteRequest("hi", Tone.FRIENDLY)),
        RewriteRequest("hi", Tone.FRIENDLY),
        parse_rewrite,
        b'{"text":"hi","tone":"friendly"}',
    ),
    "failure": (
        write_failure(Failure(ErrorCode.TOO_LONG)),
        Failure(ErrorCode.TOO_LONG),
        parse_failure,
        b'{"error":"too-long"}',
    ),
    "done": (write_done(DONE), DONE, parse_done, DONE_JSON),
    "answer": (
        write_answer(Answer("short", DONE)),
        Answer("short", DONE),
        parse_answer,
        b'{"text":"short","done":' + DONE_JSON + b"}",
    ),
}
PARSERS: tuple[Parse, ...] = tuple(row[2] for row in WRITTEN.values())


@pytest.mark.parametrize("what", WRITTEN)
def test_a_value_is_written_like_this_and_comes_back(what: str) -> None:
    written, value, parse, wanted = WRITTEN[what]
    assert written == wanted
    assert parse(written) == value


@pytest.mark.parametrize("what", WRITTEN)
def test_a_member_more_or_less_is_refused(what: str) -> None:
    written, _, parse, _ = WRITTEN[what]
    members = json.loads(written)
    with pytest.raises(FormatError, match="exactly the members"):
        parse(json.dumps({**members, "more": 1}).encode())
    for name in members:
        less = {other: value for other, value in members.items() if other != name}
        with pytest.raises(FormatError, match="exactly the members"):
            parse(json.dumps(less).encode())


@pytest.mark.parametrize("what", WRITTEN)
@pytest.mark.parametrize(
    "wrong", [None, True, 1, -1, 2**53, [], {}, [[]], "\ud800", "a\0b"], ids=repr
)
def test_a_member_of_another_type_is_refused(what: str, wrong: object) -> None:
    written, _, parse, _ = WRITTEN[what]
    members = json.loads(written)
    for name, value in members.items():
        if type(value) is int and wrong == 1 and type(wrong) is int:
            continue
        with pytest.raises(FormatError):
            parse(json.dumps({**members, name: wrong}).encode())


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("wrong", [b"", b"[]", b"1", b'"x"', b"null", b"{", b'{"a":1}{'])
def test_what_is_no_object_is_refused(parse: Parse, wrong: bytes) -> None:
    with pytest.raises(FormatError):
        parse(wrong)


def message(**members: object) -> bytes:
    return json.dumps({"messages": [{"sender": "A", "time": "", "text": "t", **members}]}).encode()


LIMITS = {
    "no messages": (parse_summarize, b'{"messages":[]}'),
    "no sender": (parse_summarize, message(sender="")),
    "a long sender": (parse_summarize, message(sender="s" * (SENDER_MAX_CHARACTERS + 1))),
    "a long time": (parse_summarize, message(time="t" * 65)),
    "a long message": (parse_summarize, message(text="t" * (TEXT_MAX_CHARACTERS + 1))),
    "no text": (parse_rewrite, b'{"text":"","tone":"shorter"}'),
    "a long text": (
        parse_rewrite,
        json.dumps({"text": "t" * (TEXT_MAX_CHARACTERS + 1), "tone": "shorter"}).encode(),
    ),
    "an unknown tone": (parse_rewrite, b'{"text":"t","tone":"Shorter"}'),
    "an unknown code": (parse_failure, b'{"error":"oops"}'),
    "an unknown end": (parse_done, DONE_JSON.replace(b"stop", b"end")),
    "a fraction": (parse_done, DONE_JSON.replace(b"120", b"1.5")),
}


@pytest.mark.parametrize("what", LIMITS)
def test_it_is_refused_with(what: str) -> None:
    parse, raw = LIMITS[what]
    with pytest.raises(FormatError):
        parse(raw)


def test_one_message_too_many_is_refused() -> None:
    one = {"sender": "A", "time": "", "text": "t"}
    parse_summarize(json.dumps({"messages": [one] * MESSAGES_MAX}).encode())
    with pytest.raises(FormatError, match=f"1 to {MESSAGES_MAX} items"):
        parse_summarize(json.dumps({"messages": [one] * (MESSAGES_MAX + 1)}).encode())


@pytest.mark.parametrize(
    ("parse", "limit"), [(parse_summarize, REQUEST_MAX_BYTES), (parse_answer, ANSWER_MAX_BYTES)]
)
def test_one_byte_too_many_is_refused(parse: Parse, limit: int) -> None:
    with pytest.raises(FormatError, match=f"wanted {limit} bytes or fewer"):
        parse(b" " * (limit + 1))


@pytest.mark.parametrize(
    ("write", "value"),
    [
        (write_summarize, SummarizeRequest(())),
        (write_summarize, SummarizeRequest((Message("", "", "x"),))),
        (write_rewrite, RewriteRequest("", Tone.SHORTER)),
    ],
)
def test_what_would_be_refused_is_not_written(write: Any, value: object) -> None:
    with pytest.raises(FormatError):
        write(value)


def test_an_answer_parses_with_its_padding() -> None:
    answer = Answer("short", DONE)
    assert parse_answer(pad_answer(write_answer(answer))) == answer


def test_every_code_has_a_final_status_that_is_an_error() -> None:
    assert STATUS.keys() == set(ErrorCode)
    assert all(status in STATUS_FINAL and status >= 400 for status in STATUS.values())


def test_the_words_are_lower_case_with_hyphens() -> None:
    words = [*ErrorCode, *Tone, *Ended]
    assert [word for word in words if not word.replace("-", "").islower()] == []


@pytest.mark.parametrize(
    "value",
    [
        Message("secret", "secret", "secret"),
        SummarizeRequest((Message("secret", "secret", "secret"),)),
        RewriteRequest("secret", Tone.SHORTER),
        Answer("secret", DONE),
        Delta("secret"),
    ],
)
def test_a_value_does_not_show_its_text(value: object) -> None:
    assert "secret" not in repr(value)


@pytest.mark.parametrize("parse", PARSERS)
def test_an_error_does_not_show_the_text(parse: Parse) -> None:
    for raw in (b'{"secret":"secret"}', b"secret", b'{"text":"secret","tone":"secret"}'):
        with pytest.raises(FormatError) as caught:
            parse(raw)
        assert "secret" not in str(caught.value)


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
MESSAGES = st.builds(Message, sender=TEXT.map(lambda text: "A" + text), time=TEXT, text=TEXT)


@given(st.lists(MESSAGES, min_size=1, max_size=5).map(tuple))
def test_a_chat_comes_back(messages: tuple[Message, ...]) -> None:
    request = SummarizeRequest(messages)
    assert parse_summarize(write_summarize(request)) == request


@given(TEXT, st.sampled_from(Tone))
def test_a_text_comes_back(text: str, tone: Tone) -> None:
    request = RewriteRequest("t" + text, tone)
    assert parse_rewrite(write_rewrite(request)) == request


@given(st.binary(max_size=80))
def test_any_bytes_parse_or_give_a_format_error(data: bytes) -> None:
    for parse in PARSERS:
        with pytest.raises(FormatError):
            parse(data)
