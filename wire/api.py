# SPDX-License-Identifier: Apache-2.0
"""The resources inside the encapsulated request, as the worker and the device both name them.

    POST /v1/summarize   {"messages":[{"sender":…,"time":…,"text":…},…]}
    POST /v1/rewrite     {"text":…,"tone":…}
    200 application/json {"text":…,"done":{…}}            or an event stream (`wire.sse`)
    4xx/5xx              {"error":"<code>"}               a code, never free text

Schemas are closed: each member is required and no other may stand there. A `repr` shows no text.
"""

from dataclasses import asdict, dataclass, field
from enum import StrEnum

from wire.strictjson import Members, load_json, write_json

SUMMARIZE = "/v1/summarize"
REWRITE = "/v1/rewrite"
JSON = "application/json"
EVENT_STREAM = "text/event-stream"
RECEIPT = "sealroom-receipt"
RECEIPT_SIGNATURE = "sealroom-receipt-signature"

REQUEST_MAX_BYTES = 240 * 1024
ANSWER_MAX_BYTES = 64 * 1024
MESSAGES_MAX = 2000
SENDER_MAX_CHARACTERS = 200
TIME_MAX_CHARACTERS = 64
MESSAGE_MAX_CHARACTERS = 16384
TEXT_MAX_CHARACTERS = 16384


class Tone(StrEnum):
    """How a text is to be rewritten."""

    REPHRASE = "rephrase"
    PROFESSIONAL = "professional"
    FRIENDLY = "friendly"
    SHORTER = "shorter"
    PROOFREAD = "proofread"


class ErrorCode(StrEnum):
    """Why a request has no answer. All that a guest ever says about it."""

    BAD_REQUEST = "bad-request"
    UNKNOWN_TASK = "unknown-task"
    TOO_LONG = "too-long"
    NO_OUTPUT = "no-output"
    WORKER_FAILED = "worker-failed"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"


STATUS = {
    ErrorCode.BAD_REQUEST: 400,
    ErrorCode.UNKNOWN_TASK: 404,
    ErrorCode.TOO_LONG: 413,
    ErrorCode.NO_OUTPUT: 500,
    ErrorCode.WORKER_FAILED: 500,
    ErrorCode.CANCELLED: 503,
    ErrorCode.DEADLINE: 504,
}


class Ended(StrEnum):
    """Why the model stopped: of itself, or at the length limit."""

    STOP = "stop"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message. `time` is as the sender's app wrote it, and may be empty."""

    sender: str = field(repr=False)
    time: str = field(repr=False)
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SummarizeRequest:
    """A chat to summarize, oldest message first."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class RewriteRequest:
    """A text to rewrite."""

    text: str = field(repr=False)
    tone: Tone


@dataclass(frozen=True, slots=True)
class Failure:
    """The end of a request without an answer."""

    code: ErrorCode


@dataclass(frozen=True, slots=True)
class Milliseconds:
    """Where the time of a request went, in milliseconds."""

    queue: int
    open: int
    prefill: int
    decode: int


@dataclass(frozen=True, slots=True)
class Done:
    """How an answer came to its end.

    Attributes:
        ended: Why the model stopped.
        tokens_in: Tokens of the prompt, without the public prefix's.
        tokens_out: Tokens of the answer.
        omitted: Messages left out, oldest first, because the chat was too long.
        ms: Where the time went.
    """

    ended: Ended
    tokens_in: int
    tokens_out: int
    omitted: int
    ms: Milliseconds


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer in one piece."""

    text: str = field(repr=False)
    done: Done


def parse_summarize(data: bytes) -> SummarizeRequest:
    """Parse the content of a request to summarize.

    Raises:
        FormatError: It breaks the schema or passes a limit.
    """
    body = Members("summarize", _load(data, REQUEST_MAX_BYTES), ("messages",))
    items = body.items("messages", most=MESSAGES_MAX)
    return SummarizeRequest(tuple(_message(item) for item in items))


def write_summarize(request: SummarizeRequest) -> bytes:
    """The content of a request to summarize.

    Raises:
        FormatError: `parse_summarize` would refuse it.
    """
    written = write_json(asdict(request))
    parse_summarize(written)
    return written


def parse_rewrite(data: bytes) -> RewriteRequest:
    """Parse the content of a request to rewrite.

    Raises:
        FormatError: It breaks the schema or passes a limit.
    """
    body = Members("rewrite", _load(data, REQUEST_MAX_BYTES), ("text", "tone"))
    text = body.text("text", least=1, most=TEXT_MAX_CHARACTERS)
    return RewriteRequest(text, body.choice("tone", Tone))


def write_rewrite(request: RewriteRequest) -> bytes:
    """The content of a request to rewrite.

    Raises:
        FormatError: `parse_rewrite` would refuse it.
    """
    written = write_json(asdict(request))
    parse_rewrite(written)
    return written


def parse_failure(data: bytes) -> Failure:
    """Parse the content of a response that is no answer.

    Raises:
        FormatError: It breaks the schema or names no code of ours.
    """
    body = Members("failure", _load(data, ANSWER_MAX_BYTES), ("error",))
    return Failure(body.choice("error", ErrorCode))


def write_failure(failure: Failure) -> bytes:
    """The content of a response that is no answer."""
    return write_json({"error": failure.code})


def parse_done(data: bytes) -> Done:
    """Parse the data of a `done` event.

    Raises:
        FormatError: It breaks the schema.
    """
    return _done(_load(data, ANSWER_MAX_BYTES))


def write_done(done: Done) -> bytes:
    """The data of a `done` event."""
    return write_json(asdict(done))


def parse_answer(data: bytes) -> Answer:
    """Parse the content of an answer in one piece, with or without padding.

    Raises:
        FormatError: It breaks the schema or passes a limit.
    """
    body = Members("answer", _load(data, ANSWER_MAX_BYTES), ("text", "done"))
    return Answer(body.text("text", most=ANSWER_MAX_BYTES), _done(body.value("done")))


def write_answer(answer: Answer) -> bytes:
    """The content of an answer in one piece, without padding."""
    return write_json(asdict(answer))


def _load(data: bytes, max_bytes: int) -> object:
    return load_json(data, what="content", max_bytes=max_bytes)


def _message(value: object) -> Message:
    body = Members("message", value, ("sender", "time", "text"))
    return Message(
        body.text("sender", least=1, most=SENDER_MAX_CHARACTERS),
        body.text("time", most=TIME_MAX_CHARACTERS),
        body.text("text", most=MESSAGE_MAX_CHARACTERS),
    )


def _done(value: object) -> Done:
    body = Members("done", value, ("ended", "tokens_in", "tokens_out", "omitted", "ms"))
    ms = Members("done.ms", body.value("ms"), ("queue", "open", "prefill", "decode"))
    return Done(
        ended=body.choice("ended", Ended),
        tokens_in=body.number("tokens_in"),
        tokens_out=body.number("tokens_out"),
        omitted=body.number("omitted"),
        ms=Milliseconds(
            queue=ms.number("queue"),
            open=ms.number("open"),
            prefill=ms.number("prefill"),
            decode=ms.number("decode"),
        ),
    )
