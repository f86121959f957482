# SPDX-License-Identifier: Apache-2.0
"""A process that keeps what it is given: the positive control of every search."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Reads as many bytes as its argument says, keeps them, says so, and ends when its input does.
KEEP = """
import sys
kept = sys.stdin.buffer.read(int(sys.argv[1]))
print(flush=True)
sys.stdin.buffer.read()
"""


@contextmanager
def keeping(data: bytes, program: str = KEEP) -> Iterator[int]:
    """The process id of a living process that has ``data`` in its memory and nowhere else."""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(len(data))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(data)
        process.stdin.flush()
        process.stdout.readline()
        yield process.pid
        process.stdin.close()
