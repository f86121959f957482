# SPDX-License-Identifier: Apache-2.0
"""The files of the command line: bounded reads; writes that replace nothing, or a whole file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sealroom.errors import InputError

STANDARD_INPUT = "-"


def read_input(name: str, most: int) -> bytes:
    """The bytes of the file `name`, or of the standard input for `-`; at most `most`.

    Raises:
        InputError: it cannot be read, or is longer.
    """
    try:
        if name == STANDARD_INPUT:
            data = sys.stdin.buffer.read(most + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(most + 1)
    except OSError as error:
        raise InputError(name, "a file that can be read", error.strerror or "an error") from error
    if len(data) > most:
        raise InputError(name, f"at most {most} bytes", "more")
    return data


def check_new(path: Path) -> None:
    """Looks before the work is done; `write_new` alone makes sure.

    Raises:
        InputError: there is such a file already.
    """
    if os.path.lexists(path):
        raise InputError(str(path), "a new file", "one that exists")


def write_new(path: Path, data: bytes) -> None:
    """Writes `data` to a file that was not there before, readable by its owner alone.

    Raises:
        InputError: there is such a file already, or it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        raise InputError(str(path), "a new file", error.strerror or "an error") from error


def replace(path: Path, data: bytes) -> None:
    """Puts `data` where a file may be already: whole, or not at all.

    Raises:
        InputError: it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise InputError(str(path), "a file to write", error.strerror or "an error") from error
