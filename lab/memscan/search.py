# SPDX-License-Identifier: Apache-2.0
"""The search as its users see it: pieces, files, folders and processes."""

from __future__ import annotations

from lab.memscan.processes import look_into
from lab.memscan.stream import Hit, Stream, Survey


class Search(Stream):
    """`Stream`, and processes."""

    def process(self, pid: int) -> list[Hit]:
        """Everything of a process that can be looked into (`lab.memscan.processes.look_into`).

        Raises:
            UnreadableError: a part of it could not be read.
        """
        survey = Survey()
        look_into(self, pid, survey)
        return survey.whole()
