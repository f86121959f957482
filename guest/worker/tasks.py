# SPDX-License-Identifier: Apache-2.0
"""From a request to a prompt. The rule: what people wrote is data, and stays one block of data.

A prompt is a public prefix, learned by the zygote, and a request laid out like the prefix's
examples. The block of a request opens and closes with a delimiter that nobody who wrote a message
could know (`make_nonce`) and that no message holds. Inside the block a message is one line, so it
can make no line of its own, and it has no label of the layout (`FRAME_WORD`); special tokens are
never parsed (`guest.worker.engine`). A summary begins with the name of who wrote first (`begins`):
a model that goes on from a name says what somebody said, and less often what it was told to say.

A small model can still be swayed by what it reads: `docs/prompt-injection.md` says how often. What
it cannot do is act. It has no tools; its answer is bounded, holds nothing to open that was not
there (`guest.worker.outward`), and goes to the person who asked.

The time of a message is left out: it would double the tokens of most chats.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from string import ascii_lowercase
from types import MappingProxyType
from typing import Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from guest.worker.outward import Carried
from guest.worker.prompts import load_prefix
from wire.api import REWRITE, SUMMARIZE, Message, Tone, parse_rewrite, parse_summarize

NONCE_LETTERS = 14
"""66 bits. Letters, because the default model reads these in nine tokens and 16 digits in 15."""

CHAT_MAX_TOKENS = 2048
"""The newest messages that fit are read: more takes one core over ten seconds."""
TEXT_MAX_TOKENS = 1024
"""A text to rewrite is never cut: a longer one is refused."""
SUMMARY_MAX_TOKENS = 96
SUMMARY_MAX_CHARS = 600
REWRITE_SPARE_TOKENS = 48
"""A rewritten text may have half as many tokens again as the original, and this many more."""
TOKEN_MAX_CHARS = 16
"""Bounds the characters of a rewritten text by its tokens."""
SENDER_MAX_CHARS = 40


SUMMARY_LAYOUT = "Conversation {nonce}\n{block}End {nonce}\nSummary:"
REWRITE_LAYOUT = "Message {nonce}\n{block}End {nonce}\nRewritten:"
STOP = ("\n",)

FRAME_WORD = re.compile(r"\b(conversation|end|summary)\s*[:\uff1a]", re.IGNORECASE)
"""A word of the summary's layout as a label. In a chat it loses its colon: a message that says
"Summary: …" is otherwise often taken for the summary, delimiter or not."""


class TaskError(Exception):
    """There is no prompt for this request. Carries nothing of it."""


class UnknownTaskError(TaskError):
    """No task has this path."""


class TooLongError(TaskError):
    """The text, or the newest message, does not fit."""


class Meter(Protocol):
    """What must be known of the model to measure a prompt; `Engine` does."""

    def count(self, text: str) -> int:
        """Tokens of a text."""
        ...

    def room(self, name: str) -> int:
        """Tokens left in the context behind a prefix."""
        ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the engine is asked, and what its answer may be.

    Attributes:
        prefix: Name of the learned prefix.
        text: The request, laid out.
        begins: How the answer begins; `text` ends with it, and the model goes on from there.
        carried: What of the request may stand in the answer, see `guest.worker.outward`.
        omitted: Messages left out because the chat is too long, the oldest ones.
        max_tokens: Tokens the answer may have.
        max_chars: Characters the answer may have.
        stop: Strings at which the answer ends.
    """

    prefix: str
    text: str = field(repr=False)
    begins: str = field(repr=False)
    carried: Carried
    omitted: int
    max_tokens: int
    max_chars: int
    stop: tuple[str, ...] = STOP


def prefixes() -> dict[str, str]:
    """The public prefixes by name, for `Engine.learn`. Reads files."""
    return {name: load_prefix(name) for name in PREFIXES}


def prompts_digest() -> bytes:
    """SHA-256 over every prefix and layout, for the attested statement."""
    digest = hashlib.sha256()
    parts = {**prefixes(), "summary layout": SUMMARY_LAYOUT, "rewrite layout": REWRITE_LAYOUT}
    for name, text in sorted(parts.items()):
        for part in (name.encode(), text.encode()):
            digest.update(len(part).to_bytes(8) + part)
    return digest.digest()


def make_nonce(secret: bytes | memoryview, body: bytes) -> str:
    """The delimiter of a request, from a secret of this boot and the request's content.

    Whoever wrote one of the messages cannot know it; equal requests get equal delimiters, so that
    in one guest equal requests get equal answers, bit for bit.
    """
    # Python's own takes no view of the secret where it is without OpenSSL, as in the image.
    authenticator = HMAC(secret, SHA256())
    authenticator.update(body)
    number = int.from_bytes(authenticator.finalize(), "big")
    letters = ""
    for _ in range(NONCE_LETTERS):
        number, letter = divmod(number, len(ascii_lowercase))
        letters += ascii_lowercase[letter]
    return letters


def build_prompt(path: str, body: bytes, *, nonce: str, meter: Meter) -> Prompt:
    """The prompt for the content `body` of a request to `path`.

    Raises:
        UnknownTaskError: no task has this path.
        FormatError: the content is not what the task takes (`wire.api`).
        TooLongError: the text, or the newest message, does not fit.
    """
    try:
        build = TASKS[path]
    except KeyError:
        raise UnknownTaskError("path: wanted a task's, got another") from None
    return build(body, nonce, meter)


def _summarize(body: bytes, nonce: str, meter: Meter) -> Prompt:
    messages = parse_summarize(body).messages
    frame = meter.count(SUMMARY_LAYOUT.format(nonce=nonce, block=""))
    budget = min(CHAT_MAX_TOKENS, meter.room(SUMMARIZE_PREFIX) - SUMMARY_MAX_TOKENS - frame)
    lines: list[str] = []
    begins = ""
    for message in reversed(messages):
        line = _message_line(message, nonce)
        name = _sender(message, nonce)
        budget -= meter.count(line)
        if budget < meter.count(f" {name}"):
            break
        lines.append(line)
        begins = name
    if not lines:
        raise TooLongError("chat: wanted a newest message that fits, got a longer one")
    block = "".join(reversed(lines))
    return Prompt(
        prefix=SUMMARIZE_PREFIX,
        text=f"{SUMMARY_LAYOUT.format(nonce=nonce, block=block)} {begins}".rstrip(),
        begins=begins,
        carried=Carried.of(block),
        omitted=len(messages) - len(lines),
        max_tokens=SUMMARY_MAX_TOKENS,
        max_chars=SUMMARY_MAX_CHARS,
    )


def _rewrite(body: bytes, nonce: str, meter: Meter) -> Prompt:
    request = parse_rewrite(body)
    prefix = REWRITE_PREFIXES[request.tone]
    block = f"{_one_line(request.text, nonce)}\n"
    text = REWRITE_LAYOUT.format(nonce=nonce, block=block)
    tokens = meter.count(text)
    max_tokens = tokens + tokens // 2 + REWRITE_SPARE_TOKENS
    if tokens > TEXT_MAX_TOKENS or tokens + max_tokens > meter.room(prefix):
        raise TooLongError(f"text: wanted at most {TEXT_MAX_TOKENS} tokens, got more")
    return Prompt(
        prefix=prefix,
        text=text,
        begins="",
        carried=Carried.of(block, own=block),
        omitted=0,
        max_tokens=max_tokens,
        max_chars=max_tokens * TOKEN_MAX_CHARS,
    )


def _message_line(message: Message, nonce: str) -> str:
    line = f"{_sender(message, nonce)}: {_one_line(message.text, nonce)}\n"
    return FRAME_WORD.sub(r"\1 -", line)


def _sender(message: Message, nonce: str) -> str:
    return _one_line(message.sender, nonce)[:SENDER_MAX_CHARS]


def _one_line(text: str, nonce: str) -> str:
    """`text` as one line that does not hold the delimiter."""
    return " ".join(text.replace(nonce, " ").split())


SUMMARIZE_PREFIX = "summarize"
REWRITE_PREFIXES: Mapping[Tone, str] = MappingProxyType(
    {tone: f"rewrite-{tone.value}" for tone in Tone}
)
PREFIXES = (*REWRITE_PREFIXES.values(), SUMMARIZE_PREFIX)

TASKS: Mapping[str, Callable[[bytes, str, Meter], Prompt]] = MappingProxyType(
    {SUMMARIZE: _summarize, REWRITE: _rewrite}
)
