# SPDX-License-Identifier: Apache-2.0
"""Texts that can be found again: one random stem, told apart by a number, and where to look.

The stem is searched for in every form of `lab.memscan`, as token ids too. It always stands behind a
space and before a digit, so that it always becomes the same tokens.
"""

from __future__ import annotations

import os
import secrets
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.memscan import Hit, Search, needles
from lab.memscan.tokens import token_ids
from tests.flow.processes import guest_processes
from tests.flow.site import Site

STEM_CHARS = 14
FILE_MAX_BYTES = 64 << 20
ALPHABET = "bcdfghjklmnpqrstvwxz"  # no word of any language by chance


class Canaries:
    """A stem of this run, and the search for it."""

    def __init__(self, model: Path | None = None) -> None:
        """Draw a stem; with a model its token ids are searched for as well."""
        self.stem = "".join(secrets.choice(ALPHABET) for _ in range(STEM_CHARS))
        self._told = 0
        tokens = [] if model is None else token_ids(model, f" {self.stem}")
        self.search = Search(needles(self.stem, tokens))

    def text(self) -> str:
        """A short text with the next canary in it."""
        self._told += 1
        return f"Tell them that {self.stem}{self._told} is late."

    def in_guest(self, site: Site) -> list[Hit]:
        """Hits in init and the three processes that outlive a request."""
        pids = [site.init, *guest_processes(site.init).values()]
        return [hit for pid in pids for hit in self.search.process(pid)]

    def on_the_way(self, site: Site) -> list[Hit]:
        """Hits in the ingress and the relay."""
        pids = [site.lab.pid("ingress"), site.lab.pid("relay")]
        return [hit for pid in pids for hit in self.search.process(pid)]

    def on_disk(self, site: Site, since: float) -> list[Hit]:
        """Hits in the deployment's folder, and in our temporary files newer than `since`."""
        hits = self.search.folder(site.folder)
        for path in _new_files(Path(tempfile.gettempdir()), since):
            hits += self.search.file(path)
        return hits


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Hold a process still."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _new_files(folder: Path, since: float) -> Iterator[Path]:
    """Regular files of ours below `folder`, last written after `since`, of a readable size."""
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root) / name
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue  # of another program, and gone by now
            ours = status.st_uid == os.geteuid() and status.st_mtime >= since
            if (
                ours
                and path.is_file()
                and not path.is_symlink()
                and status.st_size < FILE_MAX_BYTES
            ):
                yield path
