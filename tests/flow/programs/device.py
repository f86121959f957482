# SPDX-License-Identifier: Apache-2.0
"""A device that has asked one question and is still there: the client as a positive control.

Standard input is one line with the path of a trust file and one with the text; it says when it has
its answer, and ends when its input does.
"""

import sys

from sealroom import Tone, Trust, connect


def main() -> None:
    """Ask, tell, wait."""
    trust, text = sys.stdin.readline().strip(), sys.stdin.readline().strip()
    with connect(trust=Trust.load(trust)) as room:
        answer = room.rewrite(text, Tone.FRIENDLY)
        print(len(answer.text), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
