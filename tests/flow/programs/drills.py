# SPDX-License-Identifier: Apache-2.0
"""The words by which a test tells a worker of the drill how to go wrong."""

from enum import StrEnum


class Drill(StrEnum):
    """Stands somewhere in the text of a request; without one the worker does its work."""

    RAISE = "drill-raise"  # an exception that nobody expects, with the request in its text
    ABORT = "drill-abort"  # as a failed assertion in llama.cpp would
    KILLED = "drill-killed"  # by SIGKILL, as the kernel's OOM killer does
    MEMORY = "drill-memory"  # takes memory until there is no more
    SLEEP = "drill-sleep"  # the engine never answers; the worker's clock goes on
    FREEZE = "drill-freeze"  # the whole process stops
    BABBLE = "drill-babble"  # talks and never ends
    COUNT = "drill-count"  # counts to `COUNT_TO` in about two seconds, then ends well
    LEAK = "drill-leak"  # copies the request to where the zygote can read it, then does its work


COUNT_TO = 20
PAUSE_S = 0.1


def word(number: int) -> str:
    """What the drill counts with: words, because a long row of numbers may be somebody's telephone
    number, and the guest lets none out that the request did not carry."""
    return f"{chr(ord('a') + number // 26 % 26)}{chr(ord('a') + number % 26)}"


COUNTED = [word(number) for number in range(COUNT_TO)]
