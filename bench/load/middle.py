# SPDX-License-Identifier: Apache-2.0
"""An ingress that looks for new keys every half second, and a relay before it.

The ingress's own ten seconds are for keys that live for minutes; under load they live for seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.command import listen_address, run
from services.ingress import Ingress, parse_address

REFRESH_S: Final = 0.5
_LINE_MAX_BYTES: Final = 4096


@dataclass(frozen=True)
class Middle:
    """The two middlemen, by process id, and where clients go."""

    ingress: int
    relay: int
    url: str


@contextmanager
def middlemen(guest: str, folder: Path) -> Iterator[Middle]:
    """Run both for the guest at ``guest``; their logs go to ``folder``."""
    with _running(["bench.load.middle", guest], folder / "quick-ingress.log") as (ingress, gateway):
        arguments = ["services.relay", f"--gateway=http://{gateway}", "--listen=127.0.0.1:0"]
        with _running(arguments, folder / "load-relay.log") as (relay, where):
            yield Middle(ingress, relay, f"http://{where}")


@contextmanager
def _running(arguments: list[str], log: Path) -> Iterator[tuple[int, str]]:
    with log.open("wb") as errors:
        part = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdout=subprocess.PIPE, stderr=errors
        )
    try:
        line = b"" if part.stdout is None else part.stdout.readline(_LINE_MAX_BYTES)
        head, _, where = line.decode("ascii").strip().rpartition(" ")
        if head != "listening on":
            raise RuntimeError(f"{arguments[0]}: wanted its address, got {line!r}")
        yield part.pid, where
    finally:
        part.terminate()
        part.wait()
        if part.stdout is not None:
            part.stdout.close()


def main() -> int:
    """The quick ingress by itself: ``python -m bench.load.middle HOST:PORT``."""
    host, port = listen_address("127.0.0.1:0")
    guest = parse_address(f"tcp:{sys.argv[1]}")
    return run(Ingress([guest], host=host, port=port, refresh_s=REFRESH_S), host)


if __name__ == "__main__":
    os._exit(main())
