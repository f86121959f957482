# SPDX-License-Identifier: Apache-2.0
"""The zygote with one mistake: memory that every worker shares, in which each leaves its prompt.

It stands in the place of `guest.worker.__main__` in a copy of the image, which lies beside it under
another name and does all the work. It imports nothing that is not in the image.
"""

from __future__ import annotations

import importlib
import mmap
from collections.abc import Iterator
from typing import Any

from guest.worker.engine import Engine

SHELF = mmap.mmap(-1, 1 << 16)  # shared with every child: what a worker leaves there, stays


class LeakyEngine(Engine):
    """The engine, which writes down what it reads."""

    def generate(self, name: str, text: str, **rest: Any) -> Iterator[str]:  # type: ignore[explicit-override]  # typing.override is not in the image
        """Do the work, and keep the text."""
        SHELF.seek(0)
        SHELF.write(text.encode()[: len(SHELF)])
        yield from super().generate(name, text, **rest)


if __name__ == "__main__":
    sound = importlib.import_module("guest.worker.sound")
    sound.__dict__["Engine"] = LeakyEngine
    sound.main()
