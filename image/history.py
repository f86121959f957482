# SPDX-License-Identifier: Apache-2.0
"""The published manifests are append-only: what git remembers as released is there, unchanged.

A manifest may change while its status is "draft". From the commit on that says "released" it never
does, and its file never goes; somebody who pinned a measurement can always read what it stood for.
Every commit counts, also one of a branch whose manifest a merge did not take. A clone that was cut
off has not the commits that would say so, so nothing is said of it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from attest.canonical import read_canonical
from attest.errors import FormatError
from image.errors import ImageError
from sealroom.release.layout import MANIFEST
from sealroom.release.manifest import MANIFEST_MAX_BYTES, Status

GIT_MAX_S: Final = 60


class HistoryError(ImageError):
    """A released manifest was changed or taken away, or the history cannot be read."""


def check_history(checkout: Path, folder: str) -> None:
    """Compare each manifest below ``folder`` with every version of it that was committed.

    Raises:
        HistoryError: one that was released is another one now, or is gone; the history is not
            whole; or git fails.
    """
    if _git(checkout, "rev-parse", "--is-shallow-repository") != b"false\n":
        raise HistoryError("git: wanted the whole history, got a shallow clone")
    # Without --full-history git leaves out a branch that a merge took nothing of.
    words = ("log", "--full-history", "--format=%H", "--", folder)
    log = _git(checkout, *words).decode("ascii").split()
    for commit in log:
        listed = _git(checkout, "ls-tree", "-r", "-z", "--name-only", commit, "--", folder)
        for path in filter(None, listed.decode("utf-8").split("\0")):
            if path.rpartition("/")[2] == MANIFEST:
                _check(checkout, path, commit)


def _check(checkout: Path, path: str, commit: str) -> None:
    then = _git(checkout, "cat-file", "blob", f"{commit}:{path}")
    if not is_released(then):
        return
    place = checkout / path
    now = place.read_bytes() if place.is_file() else None
    if now != then:
        got = "none" if now is None else "another one"
        raise HistoryError(f"{path}: wanted the manifest released in {commit[:12]}, got {got}")


def is_released(data: bytes) -> bool:
    """Whether these bytes are a manifest that may not change any more, of whatever schema.

    Raises:
        HistoryError: they are no manifest at all.
    """
    try:
        value = read_canonical(data, MANIFEST, MANIFEST_MAX_BYTES)
    except FormatError as error:
        raise HistoryError(str(error)) from error
    return isinstance(value, dict) and value.get("status") == Status.RELEASED


def _git(checkout: Path, *arguments: str) -> bytes:
    environment = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        ended = subprocess.run(
            ["git", "-C", str(checkout), *arguments],  # noqa: S607 - git is the user's own
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_MAX_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HistoryError(f"git: wanted the history, got {error}") from error
    if ended.returncode:
        words = ended.stderr.decode("utf-8", "replace").strip()
        raise HistoryError(f"git {arguments[0]}: wanted the history, got {words}")
    return ended.stdout
