# SPDX-License-Identifier: Apache-2.0
"""The list of everything in the image, and the difference to what a build came to.

`image/files.txt` has one line for each path, sorted: kind, mode, owner and group, path, and a
link's target. Sizes and digests are not in it: they are the manifest's. The rule that holds here: a
path that comes, goes or changes its mode is a change of this file, which a person reviews.
"""

import difflib
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from image.cpio import Entry
from image.errors import ImageError

LIST: Final = Path(__file__).resolve().parent / "files.txt"
RESEARCH_LIST: Final = LIST.with_name("files-research.txt")  # what is laid over it
KINDS: Final = {stat.S_IFDIR: "dir", stat.S_IFREG: "file", stat.S_IFLNK: "link"}


class FileListError(ImageError):
    """The tree is not the listed one; the text is the difference, line by line."""


def line(entry: Entry) -> str:
    """Return an entry's line."""
    target = f" -> {entry.data.decode()}" if entry.kind == stat.S_IFLNK else ""
    return f"{KINDS[entry.kind]:4} {entry.permissions:04o} 0:0 /{entry.path}{target}"


def file_list(entries: Iterable[Entry]) -> str:
    """Return the list of these entries."""
    return "".join(f"{line(entry)}\n" for entry in sorted(entries))


def check(got: str, path: Path, *, write: bool = False) -> None:
    """Compare a list with the one at `path`, after writing it there if that is asked for.

    Raises:
        FileListError: a line is only in one of them.
    """
    if write:
        path.write_text(got)
    listed = path.read_text() if path.exists() else ""
    if got != listed:
        before, after = listed.splitlines(), got.splitlines()
        rows = difflib.unified_diff(before, after, path.name, "this build", n=0, lineterm="")
        told = [f"wanted the files of {path.name}, got others:", *rows]
        told.append("(right as it is? python -m image.build --write-files, and review the list)")
        raise FileListError("\n".join(told))
