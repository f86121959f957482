# SPDX-License-Identifier: Apache-2.0
"""Tells whoever waits for a machine how far it is: what its journal says, and that time passes.

A boot under emulation takes a minute or two, and the first half of it is silent: kernel, checks,
and the copy of the model come before the guest has anything to write down.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from lab.vm.journal import Journal

TELL_EVERY_S: Final = 10.0
EVENTS: Final[Mapping[str, str]] = {
    "started": "every check of the boot has held; the guest starts its processes",
    "key-state": "its keys are made and attested",
    "ready": "ready",
}


class Progress:
    """Lines about one machine, from the moment when this is made."""

    def __init__(self, journal: Journal, tell: Callable[[str], None]) -> None:
        """Follow a journal; ``tell`` is called with each line."""
        self._journal, self._tell = journal, tell
        self._began = self._told = time.monotonic()
        self._read = 0
        self._last = "switched on; the kernel boots"
        self._say(self._last)

    def look(self) -> None:
        """Tell what is new, or that nothing is; to be called a few times a second."""
        lines = self._journal.lines[self._read :]
        self._read += len(lines)
        for line in lines:
            if (said := _words(line)) != self._last:
                self._last = said
                self._say(said)
        if time.monotonic() - self._told > TELL_EVERY_S:
            self._say("…")

    def _say(self, words: str) -> None:
        self._told = time.monotonic()
        self._tell(f"   {self._told - self._began:4.0f} s  {words}")


def _words(line: Mapping[str, Any]) -> str:
    event = str(line.get("event"))
    numbers = "".join(f" {name} {value}" for name, value in line.items() if name != "event")
    return EVENTS.get(event, f"{event}{numbers}")
