# SPDX-License-Identifier: Apache-2.0
"""Searching for what should not be there: canaries, in every form a program may keep them in.

Where one looks: the memory of living processes, what they hold open, files, and whole images of a
machine's memory. A searcher that finds nothing proves nothing by itself: each use needs a positive
control, a place where the canary is known to be (`docs/leak-search.md`). What cannot be read is an
error with a name, never silence. ``python -m lab.memscan --help`` is the same as a command.
"""

from lab.memscan.forms import FORM_MIN_BYTES, Needle, needles
from lab.memscan.hashes import digest_needles
from lab.memscan.processes import children, look_into
from lab.memscan.search import Search
from lab.memscan.stream import PIECE_BYTES, Hit, Survey, Unread, UnreadableError

__all__ = [
    "FORM_MIN_BYTES",
    "PIECE_BYTES",
    "Hit",
    "Needle",
    "Search",
    "Survey",
    "Unread",
    "UnreadableError",
    "children",
    "digest_needles",
    "look_into",
    "needles",
]
