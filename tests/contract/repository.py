# SPDX-License-Identifier: Apache-2.0
"""What the contract tests ask of the repository: its files, as git would carry them.

A file counts when git tracks it or would add it, so that a rule is broken before the commit, not
after. Build outputs and whatever .gitignore names do not count.
"""

import functools
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("attest", "guest", "guestapi", "sealroom", "services", "wire")  # in the wheel
BESIDE = ("lab",)  # imported like a package, never in the wheel
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)  # as in requirements/*.in and *.txt
GENERATED = ("guestapi/guest_pb2.py", "guestapi/guest_grpc.py", "guestapi/guest_pb2.pyi")


@functools.cache
def files(*patterns: str) -> tuple[Path, ...]:
    """Return the repository's files that match git's `patterns`, as paths relative to its root."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = sorted(set(listing.stdout.decode().split("\0")) - {""})
    return tuple(Path(name) for name in names if (ROOT / name).is_file())


def text(path: Path | str) -> str:
    """Return the text of one of the repository's files."""
    return (ROOT / path).read_text(encoding="utf-8")


def sources() -> tuple[Path, ...]:
    """Return every Python file that somebody wrote by hand."""
    return tuple(path for path in files("*.py") if str(path) not in GENERATED)


def pins(path: Path | str) -> dict[str, str]:
    """Return what a requirement file pins, each name with its version."""
    return dict(PIN.findall(text(path)))
