# SPDX-License-Identifier: Apache-2.0
"""Kernel modules, for an image with a distribution's kernel; the image's own kernel has none.

Names and order stand in a file of the image. After the last one no module can be loaded any more
(`guest.boot.switches`).
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Final

from guest.boot.reasons import BootError, Reason
from guest.kernel import call

FOLDER: Final = Path("/usr/lib/kmod")
ORDER: Final = "order"  # a file in the folder: one name per line
ORDER_MAX_BYTES: Final = 4096
SYS_FINIT_MODULE: Final = 313
# A driver of one platform finds another one, or none: what is lacking then, the self-test says.
NOT_HERE: Final = errno.ENODEV
_NAME: Final = re.compile(r"[a-z0-9_-]+\.ko")


def parse_order(data: bytes) -> tuple[str, ...]:
    """The names in the order in which they are loaded, each once.

    Raises:
        BootError: a line is no plain name of a module, or stands twice.
    """
    names = tuple(data.decode("ascii", "replace").removesuffix("\n").split("\n"))
    if len(data) > ORDER_MAX_BYTES or len(set(names)) != len(names):
        raise BootError(Reason.MODULES)
    if not data.endswith(b"\n") or not all(map(_NAME.fullmatch, names)):
        raise BootError(Reason.MODULES)
    return names


def load_all(folder: Path = FOLDER) -> None:
    """Load what the image has, if it has any.

    Raises:
        BootError: the list cannot be used, or the kernel took one of them not.
    """
    try:
        with (folder / ORDER).open("rb") as file:
            order = file.read(ORDER_MAX_BYTES + 1)
    except FileNotFoundError:
        return
    for name in parse_order(order):
        try:
            _load(folder / name)
        except OSError as error:
            if error.errno != NOT_HERE:
                raise BootError(Reason.MODULES, error.errno or 0) from error


def _load(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        call(SYS_FINIT_MODULE, fd, b"", 0)
    finally:
        os.close(fd)
