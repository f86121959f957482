# SPDX-License-Identifier: Apache-2.0
"""Exceptions that nobody caught, as typed events: what kind, from where, on which line.

Python would print the text of an exception and the source around it, asyncio the object it happened
in, a library whatever it likes; any of these may quote what came over a door. `install` takes their
place in gate, keyholder, zygote and init: the event has numbers only (`guest.journal`), and what a
library logs below an error, or warns of, is not written at all. A worker has no standard error.
Outside this file's reach: the interpreter's own last words ("Fatal Python error"), and those of C
libraries that abort; neither quotes data, and only the zygote runs a library that does.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from enum import IntEnum
from types import TracebackType
from typing import Any, Final

from guest import journal
from guest.door import Process


class Origin(IntEnum):
    """Where an exception was when nobody was left to catch it."""

    MAIN = 0
    THREAD = 1
    UNRAISABLE = 2  # in a destructor or a callback of C
    LOGGED = 3  # asyncio's loop, or a library, would have logged it


class Kind(IntEnum):
    """What kind of exception it was: the first row of `KINDS` that it is an instance of."""

    OTHER = 0
    NONE = 1  # an error was logged without an exception
    MEMORY = 2
    TIMEOUT = 3
    CONNECTION = 4
    SYSTEM = 5  # any other OSError; its errno is the event's code
    UNICODE = 6
    VALUE = 7
    TYPE = 8
    LOOKUP = 9
    ATTRIBUTE = 10
    IMPORT = 11
    ARITHMETIC = 12
    ASSERTION = 13
    RUNTIME = 14


KINDS: Final[tuple[tuple[type[BaseException], Kind], ...]] = (
    (MemoryError, Kind.MEMORY),
    (TimeoutError, Kind.TIMEOUT),
    (ConnectionError, Kind.CONNECTION),
    (OSError, Kind.SYSTEM),
    (UnicodeError, Kind.UNICODE),
    (ValueError, Kind.VALUE),
    (TypeError, Kind.TYPE),
    (LookupError, Kind.LOOKUP),
    (AttributeError, Kind.ATTRIBUTE),
    (ImportError, Kind.IMPORT),
    (ArithmeticError, Kind.ARITHMETIC),
    (AssertionError, Kind.ASSERTION),
    (RuntimeError, Kind.RUNTIME),
)


def kind_of(error: BaseException | None) -> Kind:
    """The row of an exception."""
    if error is None:
        return Kind.NONE
    return next((kind for base, kind in KINDS if isinstance(error, base)), Kind.OTHER)


def install(process: Process) -> None:
    """From now on, what nobody catches in this process becomes an event and nothing else."""

    def note(origin: Origin, error: BaseException | None, trace: TracebackType | None) -> None:
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        errno = error.errno if isinstance(error, OSError) else None
        journal.record(
            journal.Event.FAULT,
            process=list(Process).index(process),
            origin=int(origin),
            kind=int(kind_of(error)),
            code=errno or 0,
            line=trace.tb_lineno if trace is not None else 0,
        )

    class Recorder(logging.Handler):
        """Errors with or without an exception, as events; everything below is dropped."""

        def emit(self, record: logging.LogRecord) -> None:
            """Write the event; the record's text and arguments are not looked at."""
            error = record.exc_info[1] if record.exc_info else None
            note(Origin.LOGGED, error, error.__traceback__ if error is not None else None)

    def raised(_: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        note(Origin.MAIN, error, trace)

    def unraisable(hint: Any) -> None:
        note(Origin.UNRAISABLE, hint.exc_value, hint.exc_traceback)

    def threaded(hint: threading.ExceptHookArgs) -> None:
        note(Origin.THREAD, hint.exc_value, hint.exc_traceback)

    sys.excepthook = raised
    sys.unraisablehook = unraisable
    threading.excepthook = threaded
    warnings.showwarning = lambda *_args, **_named: None
    logging.raiseExceptions = False
    logging.root.handlers = [Recorder(logging.ERROR)]
