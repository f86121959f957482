# SPDX-License-Identifier: Apache-2.0
"""What a service writes when something in it breaks: the kind of the fault and the line.

This file owns the only text that a service writes to standard error. Rule: no message of an
exception, no argument and no address, because aiohttp's own texts contain the peer's address and
parts of the request.
"""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path

from typing_extensions import override


class PlaceHandler(logging.Handler):
    """Writes `name: KindOfError at file.py:line` for a record with an exception, else nothing."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is None or record.exc_info[0] is None:
            return
        frames = traceback.extract_tb(record.exc_info[2])
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "no frame"
        sys.stderr.write(f"{record.name}: {record.exc_info[0].__name__} at {place}\n")


def quiet_all() -> None:
    """Let nothing else be printed either: asyncio and other libraries, and what nobody catches."""
    logging.root.handlers = [PlaceHandler(logging.ERROR)]
    logging.raiseExceptions = False
    sys.excepthook = lambda kind, error, trace: logging.root.error(
        "", exc_info=(kind, error, trace)
    )


def journal(name: str) -> logging.Logger:
    """The logger of the service `name`. It shares nothing with the root logger."""
    logger = logging.getLogger(name)
    logger.propagate = False
    logger.handlers = [PlaceHandler()]
    logger.setLevel(logging.ERROR)
    return logger
