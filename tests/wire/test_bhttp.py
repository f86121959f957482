# SPDX-License-Identifier: Apache-2.0
"""Binary HTTP as values: the RFC's examples, what both framings must refuse, and round trips."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.vectors import load
from wire.bhttp import (
    Fields,
    Informational,
    Request,
    Response,
    parse_request,
    parse_response,
    write_request,
    write_response,
)
from wire.bhttp_fields import FIELDS_MAX, FIELDS_MAX_BYTES, PATH
from wire.errors import FormatError, WireError

VECTORS = load("bhttp-rfc9292/bhttp.json")


def named(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def pairs(fields: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in fields)


def expected(expect: dict[str, Any]) -> Request | Response:
    """The value that a vector says its bytes are."""
    headers, trailers = pairs(expect["headers"]), pairs(expect["trailers"])
    content = bytes.fromhex(expect["content_hex"])
    if expect["kind"] == "request":
        control = (expect["method"], expect["scheme"], expect["authority"], expect["path"])
        return Request(*control, headers, content, trailers)
    blocks = [
        Informational(one["status"], pairs(one["headers"])) for one in expect["informational"]
    ]
    return Response(expect["status"], headers, content, trailers, tuple(blocks))


def test_the_vector_file_holds_what_its_readme_says() -> None:
    assert (len(VECTORS["valid"]), len(VECTORS["invalid"])) == (10, 10)


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=named)
def test_a_valid_message_parses_as_the_vector_says(vector: dict[str, Any]) -> None:
    parse = {"request": parse_request, "response": parse_response}[vector["expect"]["kind"]]
    assert parse(bytes.fromhex(vector["hex"])) == expected(vector["expect"])


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=named)
def test_a_valid_message_is_written_as_the_vector_has_it(vector: dict[str, Any]) -> None:
    """Byte for byte, but for what a vector leaves out at its end; we write that as zero bytes."""
    value, expect = expected(vector["expect"]), vector["expect"]
    indeterminate = expect["framing"] == "indeterminate"
    written = (
        write_request(value, indeterminate=indeterminate, padding=expect["padding"])
        if isinstance(value, Request)
        else write_response(value, indeterminate=indeterminate, padding=expect["padding"])
    )
    raw = bytes.fromhex(vector["hex"])
    assert written[: len(raw)] == raw
    assert not any(written[len(raw) :])
    assert len(written) - len(raw) <= 3


@pytest.mark.parametrize("vector", VECTORS["invalid"], ids=named)
@pytest.mark.parametrize("parse", [parse_request, parse_response])
def test_an_invalid_message_is_refused(vector: dict[str, Any], parse: Any) -> None:
    with pytest.raises(FormatError):
        parse(bytes.fromhex(vector["hex"]))


TOKEN = st.text("abcdefghijklmnopqrstuvwxyz0123456789-!#$%&'*+.^_`|~", min_size=1, max_size=20)
VALUE = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30
).map(lambda text: text.strip(" "))
FIELDS = st.lists(st.tuples(TOKEN, VALUE), max_size=4).map(tuple)
VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=30)
REQUESTS = st.builds(
    Request,
    method=TOKEN.map(str.upper),
    scheme=st.sampled_from(["https", "http", "coap+tcp"]),
    authority=VISIBLE,
    path=VISIBLE.map(lambda text: "/" + text),
    headers=FIELDS,
    content=st.binary(max_size=200),
    trailers=FIELDS,
)
BLOCKS = st.builds(Informational, status=st.integers(100, 199), headers=FIELDS)
RESPONSES = st.builds(
    Response,
    status=st.integers(200, 599),
    headers=FIELDS,
    content=st.binary(max_size=200),
    trailers=FIELDS,
    informational=st.lists(BLOCKS, max_size=3).map(tuple),
)


@given(REQUESTS, st.booleans(), st.integers(0, 20))
def test_a_request_comes_back(request: Request, indeterminate: bool, padding: int) -> None:
    written = write_request(request, indeterminate=indeterminate, padding=padding)
    assert parse_request(written) == request


@given(RESPONSES, st.booleans(), st.integers(0, 20))
def test_a_response_comes_back(response: Response, indeterminate: bool, padding: int) -> None:
    written = write_response(response, indeterminate=indeterminate, padding=padding)
    assert parse_response(written) == response


@given(st.binary(max_size=200), st.integers(0, 3))
def test_any_bytes_parse_or_give_a_wire_error(data: bytes, framing: int) -> None:
    for parse in (parse_request, parse_response):
        try:
            parse(bytes([framing]) + data)
        except WireError:
            continue


FULL = Response(200, (("a", "b"),), b"content", (("c", "d"),), (Informational(103, (("e", "f"),)),))


@pytest.mark.parametrize("indeterminate", [False, True])
def test_a_message_that_was_cut_is_refused_unless_what_is_missing_is_empty(
    indeterminate: bool,
) -> None:
    whole = write_response(FULL, indeterminate=indeterminate)
    complete = [size for size in range(len(whole)) if accepted(whole[:size])]
    # Cut exactly before the content, or before the trailers: the same message with those empty.
    without = [
        Response(200, FULL.headers, b"", (), FULL.informational),
        Response(200, FULL.headers, b"content", (), FULL.informational),
    ]
    status_only = Response(200, (), b"", (), FULL.informational)
    assert [parse_response(whole[:size]) for size in complete] == [status_only, *without]


def accepted(data: bytes) -> bool:
    try:
        parse_response(data)
    except FormatError:
        return False
    return True


GOOD = {"method": "POST", "scheme": "https", "authority": "a.example", "path": "/x"}


def post(control: dict[str, str], headers: Fields = (), content: bytes = b"") -> Request:
    """A good request, but for the parts given."""
    parts = {**GOOD, **control}
    texts = (parts["method"], parts["scheme"], parts["authority"], parts["path"])
    return Request(*texts, headers, content)


BAD_CONTROL = [
    ("method", ""),
    ("method", "GE T"),
    ("method", "M" * 33),
    ("scheme", ""),
    ("scheme", "HTTPS"),
    ("scheme", "1s"),
    ("authority", "a b"),
    ("authority", "ü.example"),
    ("path", ""),
    ("path", "x"),
    ("path", "/a b"),
    ("path", "/\n"),
    ("path", "/" * (PATH.max_bytes + 1)),
    ("path", "/\u20ac"),
]
BAD_FIELDS = [
    ("", "value"),
    ("Name", "value"),
    (":method", "GET"),
    ("na me", "value"),
    ("n\u00e4me", "value"),
    ("name", " value"),
    ("name", "value\t"),
    ("name", "a\nb"),
    ("name", "a\rb"),
    ("name", "a\0b"),
    ("name", "a\x7fb"),
    ("name", "\u20ac"),
    ("n" * 257, "value"),
    ("name", "v" * 8193),
]


@pytest.mark.parametrize(("part", "text"), BAD_CONTROL)
@pytest.mark.parametrize("indeterminate", [False, True])
def test_control_data_without_its_form_is_not_written(
    part: str, text: str, indeterminate: bool
) -> None:
    with pytest.raises(FormatError, match=part):
        write_request(post({part: text}), indeterminate=indeterminate)


@pytest.mark.parametrize(("part", "text"), BAD_CONTROL[:-1])
def test_control_data_without_its_form_is_refused(part: str, text: str) -> None:
    control = [value.encode("latin-1") for value in {**GOOD, part: text}.values()]
    raw = b"\x00" + b"".join(vector(value) for value in control)
    with pytest.raises(FormatError, match=part):
        parse_request(raw)


@pytest.mark.parametrize("field", BAD_FIELDS)
@pytest.mark.parametrize("indeterminate", [False, True])
def test_a_field_without_its_form_is_not_written(
    field: tuple[str, str], indeterminate: bool
) -> None:
    with pytest.raises(FormatError, match="field"):
        write_response(Response(200, (field,)), indeterminate=indeterminate)


READABLE = [field for field in BAD_FIELDS if "\u20ac" not in field[1]]


@pytest.mark.parametrize("field", READABLE)
def test_a_field_without_its_form_is_refused(field: tuple[str, str]) -> None:
    line = b"".join(vector(text.encode("latin-1")) for text in field)
    with pytest.raises(FormatError, match="field"):
        parse_response(b"\x01\x40\xc8" + vector(line))


@pytest.mark.parametrize("field", READABLE[1:])
def test_a_field_without_its_form_is_refused_without_lengths_too(field: tuple[str, str]) -> None:
    """All but the empty name, which ends a section there."""
    line = b"".join(vector(text.encode("latin-1")) for text in field)
    with pytest.raises(FormatError, match="field"):
        parse_response(b"\x03\x40\xc8" + line + b"\x00")


@pytest.mark.parametrize("status", [0, 99, 600])
@pytest.mark.parametrize("indeterminate", [False, True])
def test_a_status_out_of_range_is_not_written(status: int, indeterminate: bool) -> None:
    with pytest.raises(FormatError, match="status: wanted 200 to 599"):
        write_response(Response(status), indeterminate=indeterminate)


@pytest.mark.parametrize("status", [99, 200])
@pytest.mark.parametrize("indeterminate", [False, True])
def test_a_block_before_the_head_must_be_informational(status: int, indeterminate: bool) -> None:
    response = Response(200, informational=(Informational(status),))
    with pytest.raises(FormatError, match="status: wanted 100 to 199"):
        write_response(response, indeterminate=indeterminate)


def test_a_line_too_many_is_not_written() -> None:
    with pytest.raises(FormatError, match=f"wanted {FIELDS_MAX} lines"):
        write_response(Response(200, (("a", ""),) * (FIELDS_MAX + 1)))


def test_a_section_that_is_too_long_is_not_written() -> None:
    with pytest.raises(FormatError, match=f"wanted {FIELDS_MAX_BYTES} bytes"):
        write_response(Response(200, (("a", "v" * 8192),) * 2))


def test_a_request_is_no_response() -> None:
    with pytest.raises(FormatError, match="wanted 1 or 3, got 0"):
        parse_response(write_request(post({})))


def test_a_value_shows_no_content_and_no_field() -> None:
    assert repr(FULL) == "Response(status=200, informational=(Informational(status=103),))"
    secret = post({}, (("authorization", "secret"),), b"secret")
    assert "secret" not in repr(secret)


def vector(raw: bytes) -> bytes:
    """Length and bytes, for lengths below 16384."""
    return (len(raw) | 0x4000).to_bytes(2, "big") + raw
