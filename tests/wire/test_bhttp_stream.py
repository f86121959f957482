# SPDX-License-Identifier: Apache-2.0
"""The streaming readers: any fragmentation, events as early as possible, limits before bytes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.vectors import load
from wire import bhttp_pieces as pieces
from wire.bhttp_fields import FIELDS_MAX, FIELDS_MAX_BYTES, NAME, VALUE
from wire.bhttp_stream import (
    CONTENT_MAX_BYTES,
    INFORMATIONAL_MAX,
    PADDING_MAX_BYTES,
    Content,
    End,
    Informational,
    RequestHead,
    RequestReader,
    ResponseHead,
    ResponseReader,
)
from wire.errors import FormatError, SpentError
from wire.varint import VARINT_MAX, write_varint

VALID = load("bhttp-rfc9292/bhttp.json")["valid"]
OK = b"\x40\xc8"


def reader_for(vector: dict[str, Any]) -> Any:
    return RequestReader() if vector["expect"]["kind"] == "request" else ResponseReader()


def merged(events: list[Any]) -> list[Any]:
    """The events with all content as one."""
    content = b"".join(event.data for event in events if isinstance(event, Content))
    return [*(event for event in events if not isinstance(event, Content)), content]


@pytest.mark.parametrize("vector", VALID, ids=lambda vector: str(vector["name"]))
def test_a_message_reads_the_same_when_split_at_any_byte(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["hex"])
    whole = reader_for(vector)
    wanted = merged(whole.receive(raw) + whole.finish())
    for cut in range(len(raw) + 1):
        reader = reader_for(vector)
        events = reader.receive(raw[:cut]) + reader.receive(raw[cut:]) + reader.finish()
        assert merged(events) == wanted
    reader = reader_for(vector)
    events = [event for byte in raw for event in reader.receive(bytes([byte]))]
    assert merged(events + reader.finish()) == wanted


def test_each_event_of_a_response_comes_with_its_last_byte() -> None:
    reader = ResponseReader()
    assert reader.receive(pieces.begin_response()) == []
    assert reader.receive(pieces.informational(102)) == [Informational(102)]
    head = pieces.head(200, (("content-type", "text/event-stream"),))
    assert reader.receive(head[:-1]) == []
    assert reader.receive(head[-1:]) == [
        ResponseHead(200, (("content-type", "text/event-stream"),))
    ]
    assert reader.receive(pieces.content(b"hello")[:3]) == [Content(b"he")]
    assert reader.receive(b"llo") == [Content(b"llo")]
    assert reader.receive(pieces.end_content()) == []
    assert reader.receive(pieces.trailers((("a", "b"),))) == [End((("a", "b"),))]
    assert reader.receive(pieces.padding(5)) == []
    assert reader.finish() == []


def test_a_request_written_in_pieces_reads() -> None:
    reader = RequestReader()
    raw = (
        pieces.begin_request("POST", "https", "a.example", "/v1", (("a", "b"),))
        + pieces.content(b"")
        + pieces.content(b"body")
        + pieces.end_content()
        + pieces.trailers()
        + pieces.padding(3)
    )
    assert reader.receive(raw) + reader.finish() == [
        RequestHead("POST", "https", "a.example", "/v1", (("a", "b"),)),
        Content(b"body"),
        End(),
    ]


def test_the_end_may_come_only_from_the_end_of_the_bytes() -> None:
    reader = ResponseReader()
    assert reader.receive(b"\x01" + OK) == []
    assert reader.finish() == [ResponseHead(200), End()]


LIMITS: dict[str, tuple[type[RequestReader | ResponseReader], bytes, str]] = {
    "control data": (RequestReader, b"\x00" + write_varint(VARINT_MAX), "method: wanted"),
    "known section": (
        ResponseReader,
        b"\x01" + OK + write_varint(FIELDS_MAX_BYTES + 1),
        "header section: wanted",
    ),
    "name": (
        ResponseReader,
        b"\x03" + OK + write_varint(NAME.max_bytes + 1),
        "field name: wanted",
    ),
    "value": (
        ResponseReader,
        b"\x03" + OK + b"\x01a" + write_varint(VALUE.max_bytes + 1),
        "field value: wanted",
    ),
    "lines": (
        ResponseReader,
        b"\x03" + OK + b"\x01a\x01b" * (FIELDS_MAX + 1),
        "header section: a line too many",
    ),
    "bytes of lines": (
        ResponseReader,
        b"\x03" + OK + (b"\x01a" + write_varint(8190) + b"v" * 8190) * 2,
        "header section: a line too many",
    ),
    "known content": (
        ResponseReader,
        b"\x01" + OK + b"\x00" + write_varint(CONTENT_MAX_BYTES + 1),
        "content: wanted",
    ),
    "content in all": (
        ResponseReader,
        b"\x03" + OK + b"\x00" + b"\x01c" + write_varint(CONTENT_MAX_BYTES),
        "content: wanted",
    ),
    "blocks": (
        ResponseReader,
        b"\x03" + pieces.informational(102) * INFORMATIONAL_MAX + b"\x40\x66",
        "informational responses: more than",
    ),
    "padding": (
        ResponseReader,
        b"\x01" + OK + bytes(3) + bytes(PADDING_MAX_BYTES + 1),
        "padding: wanted",
    ),
}


@pytest.mark.parametrize("what", LIMITS)
def test_a_limit_is_kept(what: str) -> None:
    reader, raw, problem = LIMITS[what]
    with pytest.raises(FormatError, match=problem):
        reader().receive(raw)


def test_a_line_that_runs_past_its_section_is_refused() -> None:
    with pytest.raises(FormatError, match="runs past the end"):
        ResponseReader().receive(b"\x01" + OK + b"\x03" + b"\x01a\x02bc")


def test_an_empty_name_in_a_known_section_is_refused() -> None:
    with pytest.raises(FormatError, match="field name"):
        ResponseReader().receive(b"\x01" + OK + b"\x02" + b"\x00\x00")


def test_padding_that_is_not_zero_is_refused_wherever_it_comes() -> None:
    reader = ResponseReader()
    reader.receive(b"\x01" + OK + bytes(3) + bytes(10))
    with pytest.raises(FormatError, match="padding"):
        reader.receive(b"\x00\x01")


def test_a_reader_that_failed_or_finished_takes_nothing_more() -> None:
    failed = ResponseReader()
    with pytest.raises(FormatError):
        failed.receive(b"\x04")
    with pytest.raises(SpentError, match="broken"):
        failed.receive(b"")
    finished = ResponseReader()
    finished.receive(b"\x01" + OK)
    finished.finish()
    with pytest.raises(SpentError, match="spent"):
        finished.finish()


def test_an_error_says_where() -> None:
    with pytest.raises(FormatError) as caught:
        ResponseReader().receive(b"\x01\x42\x58")
    assert (caught.value.what, caught.value.offset) == ("status", 3)
    assert caught.value.problem == "wanted 100 to 599, got 600"


@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(0, 3))
def test_any_bytes_give_events_or_a_format_error(data: list[bytes], framing: int) -> None:
    for reader in (RequestReader(), ResponseReader()):
        try:
            reader.receive(bytes([framing]))
            for piece in data:
                reader.receive(piece)
            reader.finish()
        except FormatError:
            continue
