# SPDX-License-Identifier: Apache-2.0
"""`sealroom summarize` and `sealroom rewrite`: one answer from a file.

What is printed before an answer is complete is marked as such on stderr when the rest is missing:
the exit code and that line are how a caller tells a part from a whole.
"""

from __future__ import annotations

import argparse
import json
import sys

from sealroom import task
from sealroom.blocking import Room, Stream, connect
from sealroom.chat import read_chat
from sealroom.chat.lines import CHAT_MAX_BYTES
from sealroom.cli_files import check_new, read_input, write_new
from sealroom.cli_report import answer_json, answer_line, printable
from sealroom.errors import EXIT_OK, InputError
from sealroom.stream import Answer, Phase, no_progress
from sealroom.task import Task
from sealroom.trust import Trust

TEXT_MAX_BYTES = 256 * 1024
_CLEAR_LINE = "\r\x1b[K"


def summarize(args: argparse.Namespace) -> int:
    """Prints the summary of a chat."""
    chat = read_chat(read_input(args.file, CHAT_MAX_BYTES))
    messages = chat.messages if args.last is None else chat.messages[-args.last :]
    return _answer(args, task.summarize(messages))


def rewrite(args: argparse.Namespace) -> int:
    """Prints a text in other words."""
    try:
        text = read_input(args.file, TEXT_MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(args.file, "UTF-8", f"{error.reason} at byte {error.start}") from None
    return _answer(args, task.rewrite(text.strip(), args.tone))


def _answer(args: argparse.Namespace, asked: Task) -> int:
    trust = Trust.load(args.trust)
    if args.receipt is not None:
        check_new(args.receipt)
    on_terminal = sys.stderr.isatty()
    with connect(args.relay, trust=trust, on_phase=_show if on_terminal else no_progress) as room:
        try:
            answer = _print_answer(room, asked, args)
        finally:
            if on_terminal:
                print(_CLEAR_LINE, end="", file=sys.stderr, flush=True)
    if args.receipt is not None:
        write_new(args.receipt, answer.signed_receipt.write())
    if on_terminal:
        print(answer_line(answer), file=sys.stderr)
    return EXIT_OK


def _print_answer(room: Room, asked: Task, args: argparse.Namespace) -> Answer:
    if not args.json and not args.no_stream:
        return _print_stream(room.ask_stream(asked))
    answer = room.ask(asked)
    print(json.dumps(answer_json(answer), indent=2) if args.json else printable(answer.text))
    return answer


def _print_stream(stream: Stream) -> Answer:
    printed = False
    try:
        for piece in stream:
            printed = True
            print(printable(piece), end="", flush=True)
    finally:
        if printed:
            print(flush=True)
    return stream.answer


def _show(phase: Phase) -> None:
    """The phase in the terminal's last line; gone before the first word is printed over it."""
    said = "" if phase is Phase.STREAMING else f"{phase} …"
    print(f"{_CLEAR_LINE}{said}", end="", file=sys.stderr, flush=True)
