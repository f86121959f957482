# SPDX-License-Identifier: Apache-2.0
"""Texts that can be found again: one random stem, told apart by a number, and where to look.

The stem is searched for in every form of `lab.memscan`, also as a model keeps it. It always stands
behind a space and before a digit, so that it always becomes the same tokens. There are only `TEXTS`
different texts, so that the digests of each can be searched for as well.
"""

from __future__ import annotations

import itertools
import os
import secrets
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.memscan import Hit, Search, Survey, digest_needles, needles
from lab.memscan.tokens import kv_needles, token_ids
from tests.flow.processes import guest_processes
from tests.flow.site import Site
from wire.api import RewriteRequest, Tone, write_rewrite

STEM_CHARS = 14
TEXTS = 8
ALPHABET = "bcdfghjklmnpqrstvwxz"  # no word of any language by chance
FOLDERS = (Path(tempfile.gettempdir()), Path("/dev/shm"), Path.cwd())
"""Where a process of ours could leave a file: ours are searched if they changed meanwhile."""


class Canaries:
    """A stem of this run, and the search for it."""

    def __init__(self, model: Path | None = None, *, digests: bool = False) -> None:
        """Draw a stem; with a model its token ids are searched for as well."""
        self.stem = "".join(secrets.choice(ALPHABET) for _ in range(STEM_CHARS))
        self.since = time.time()
        self._numbers = itertools.cycle(range(1, TEXTS + 1))
        tokens = [] if model is None else token_ids(model, f" {self.stem}")
        wanted = needles(self.stem, tokens)
        if model is not None:
            wanted += kv_needles(self.stem, model, f" {self.stem}")
        self.plain = Search(wanted)
        """The forms of the stem alone, for places where much must be read."""
        if digests:
            wanted = wanted + digest_needles(self.stem, self.stem.encode())
            for number in range(1, TEXTS + 1):
                text = self._text(number)
                content = write_rewrite(RewriteRequest(text, Tone.FRIENDLY))
                wanted += digest_needles(f"text {number}", text.encode())
                wanted += digest_needles(f"request {number}", content)
        self.search = Search(wanted)

    def _text(self, number: int) -> str:
        return f"Tell them that {self.stem}{number} is late."

    def text(self) -> str:
        """A short text with a canary in it."""
        return self._text(next(self._numbers))

    def in_guest(self, site: Site) -> list[Hit]:
        """Hits in init and the three processes that outlive a request."""
        pids = [site.init, *guest_processes(site.init).values()]
        return [hit for pid in pids for hit in self.search.process(pid)]

    def on_the_way(self, site: Site) -> list[Hit]:
        """Hits in the ingress and the relay."""
        pids = [site.lab.pid("ingress"), site.lab.pid("relay")]
        return [hit for pid in pids for hit in self.search.process(pid)]

    def on_disk(self, site: Site, since: float) -> list[Hit]:
        """Hits in the deployment's folder, and in files of ours that changed since then."""
        survey = Survey()
        self.plain.folder(site.folder, survey)
        for path in changed_files(since):
            with suppress(FileNotFoundError):  # of another program, and gone by now
                self.plain.file(path, survey)
        return survey.hits


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Hold a process still."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def changed_files(since: float) -> Iterator[Path]:
    """Files of ours in `FOLDERS`, last written after `since`."""
    for folder in FOLDERS:
        for root, _, names in os.walk(folder):
            for name in names:
                path = Path(root) / name
                try:
                    status = path.lstat()
                except FileNotFoundError:
                    continue  # of another program, and gone by now
                ours = status.st_uid == os.geteuid() and status.st_mtime >= since
                if ours and stat.S_ISREG(status.st_mode):
                    yield path
