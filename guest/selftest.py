# SPDX-License-Identifier: Apache-2.0
"""The start self-test: every row of `guest.selftest_rows` is read and judged once, before anything.

`lacking` is the whole answer: the rows that do not hold, and what the sandbox cannot do here. It
goes into the attested statement and into health by name, and into the journal by number. A
production guest that lacks anything does not start (`guest.init`).

Not rows, because no guest of any variant starts without them: the closed schema of the
configuration (`guest.config`), and the digest of the model, taken over the sealed bytes that are
mapped (`guest.worker.modelfile`).
"""

from __future__ import annotations

from collections.abc import Sequence

from guest import journal, sandbox
from guest.readings import Readings, read
from guest.selftest_rows import ROWS, Row


def failing(readings: Readings | None = None, rows: Sequence[Row] = ROWS) -> tuple[str, ...]:
    """Names of the rows that do not hold, sorted; ``readings`` are taken now unless given."""
    if readings is None:
        readings = read({name for row in rows for name in row.reads})
    return tuple(sorted(row.name for row in rows if not _holds(row, readings)))


def lacking() -> tuple[str, ...]:
    """Everything that this guest lacks of its isolation and self-test, sorted, for its statement.

    Each row of the self-test that does not hold is written into the journal by its number.
    """
    failed = failing()
    for number, row in enumerate(ROWS):
        if row.name in failed:
            journal.record(journal.Event.SELFTEST_FAILED, row=number)
    return tuple(sorted({*sandbox.missing(), *failed}))


def _holds(row: Row, readings: Readings) -> bool:
    return row.holds(*(readings[name] for name in row.reads))
