# SPDX-License-Identifier: Apache-2.0
"""Steps of the build that are done once for the same inputs.

A step has a key, the digest of everything it depends on, and files that it makes. The rule that
holds here: a step is left out only if the key is the same and every file it made still has the
digest it had then. So nothing is ever taken that this recipe would not have made.
"""

import fcntl
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from image.errors import ImageError

STAMP_MAX_BYTES = 1 << 20


class StageError(ImageError):
    """A step did not make a file that it is there for."""


def say(text: str) -> None:
    """Print a line of progress to standard error."""
    print(f"image: {text}", file=sys.stderr, flush=True)


def digest(path: Path) -> str:
    """Return a file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_key(paths: Iterable[Path], **more: str) -> str:
    """Return the digest of files, by their names and contents, and of named texts."""
    rows = {str(path): digest(path) for path in paths}
    return hashlib.sha256(json.dumps([rows, more], sort_keys=True).encode()).hexdigest()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one build at a time work in `folder`; another one waits for it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{folder}: waiting for another build to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclass
class Stages:
    """The steps of one build; what was done is kept in `folder`."""

    folder: Path
    took_s: dict[str, float] = field(default_factory=dict)

    def run(self, name: str, key: str, made: Sequence[Path], step: Callable[[], None]) -> None:
        """Do a step, unless it was done for the same key and all it made is as it was.

        Raises:
            StageError: the step ended without one of the files.
        """
        stamp = self.folder / f"{name}.json"
        began = time.monotonic()
        if _done(stamp) != {"key": key, "made": _digests(made)}:
            stamp.unlink(missing_ok=True)
            say(f"{name}: …")
            step()
            digests = _digests(made)
            if absent := sorted(path for path, value in digests.items() if not value):
                raise StageError(f"{name}: wanted {absent}, got no such file")
            self.folder.mkdir(parents=True, exist_ok=True)
            stamp.write_text(json.dumps({"key": key, "made": digests}, indent=1) + "\n")
            say(f"{name}: {time.monotonic() - began:.1f} s")
        self.took_s[name] = round(time.monotonic() - began, 2)


def _digests(made: Sequence[Path]) -> Mapping[str, str]:
    return {str(path): digest(path) if path.is_file() else "" for path in made}


def _done(stamp: Path) -> object:
    try:
        if stamp.stat().st_size <= STAMP_MAX_BYTES:
            return json.loads(stamp.read_text())
    except (OSError, ValueError):
        # No stamp, or a damaged one: the step is done again.
        return None
    return None
