# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: T201  (a script talks to its user)
"""The whole public API in one page: `python quickstart.py TRUST_FILE CHAT_FILE`."""

import sys
from pathlib import Path

from sealroom import SealroomError, Trust, connect, read_chat


def main(trust_file: str, chat_file: str) -> int:
    """Streams the summary of a chat, then says what became of the room it was made in."""
    chat = read_chat(Path(chat_file).read_bytes())
    try:
        with connect(trust=Trust.load(trust_file)) as room:
            print(f"verified: {room.guest.product_line} {room.guest.measurement.hex()[:16]}…")
            stream = room.summarize_stream(chat.messages)
            for piece in stream:
                print(piece, end="", flush=True)
    except SealroomError as error:
        print(f"no complete answer: {error}", file=sys.stderr)
        return 1
    answer = stream.answer
    print(f"\nthe room's process {answer.receipt.ended} after {answer.receipt.lived_ms} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
