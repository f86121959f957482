# SPDX-License-Identifier: Apache-2.0
"""Locks: which Debian packages the image and its tools are made of, to the byte.

The rule that holds here: a lock is the anchor of trust. A package is what its SHA-256 says, whoever
served it; apt's signatures decide only what may *enter* a lock (`image.fetch --refresh`). A lock
names no mirror. There is one spelling of each lock: sorted by name, one line per package.
"""

import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from image.errors import ImageError

LOCK_MAX_BYTES = 1 << 20
PACKAGE_MAX_BYTES = 1 << 29

# Debian Policy 5.6.1, 5.6.7, 5.6.12; names of suites as in SUITES of image/apt.py.
_FORM = {
    "name": re.compile(r"[a-z0-9][a-z0-9+.-]{1,127}"),
    "version": re.compile(r"(?:[0-9]+:)?[0-9][A-Za-z0-9.+~-]{0,127}"),
    "arch": re.compile(r"amd64|all"),
    "suite": re.compile(r"[a-z]{1,32}"),
    "sha256": re.compile(r"[0-9a-f]{64}"),
    "source": re.compile(r"[a-z0-9][a-z0-9+.-]{1,127}"),
}


class LockError(ImageError):
    """A lock is not in its one spelling."""


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """One .deb: its name and version, the suite that had it, its size in bytes and digest."""

    name: str
    version: str
    arch: str
    suite: str
    size: int
    sha256: str
    source: str

    def __post_init__(self) -> None:
        for field, form in _FORM.items():
            value = getattr(self, field)
            if not isinstance(value, str) or not form.fullmatch(value):
                raise LockError(f"{field}: wanted {form.pattern}, got {value!r}")
        if type(self.size) is not int or not 0 < self.size <= PACKAGE_MAX_BYTES:
            raise LockError(f"{self.name}: wanted 1 to {PACKAGE_MAX_BYTES} bytes, got {self.size}")


def lock_text(packages: list[Package]) -> str:
    """Return the one spelling of a lock that holds these packages."""
    rows = [json.dumps(asdict(package)) for package in sorted(packages)]
    return "[\n" + ",\n".join(rows) + "\n]\n"


def parse_lock(text: str) -> tuple[Package, ...]:
    """Return the packages of a lock, sorted by name.

    Raises:
        LockError: the text is not the one spelling of a list of packages with names of their own.
    """
    if len(text) > LOCK_MAX_BYTES:
        raise LockError(f"lock: wanted {LOCK_MAX_BYTES} bytes at most, got {len(text)}")
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LockError(f"lock: wanted JSON, got {error}") from error
    wanted = {field.name for field in fields(Package)}
    if not isinstance(rows, list) or not rows:
        raise LockError("lock: wanted a list of packages, got none")
    for row in rows:
        if not isinstance(row, dict) or set(row) != wanted:
            raise LockError(f"lock: wanted the fields {sorted(wanted)}, got {row!r}")
    packages = [Package(**row) for row in rows]
    if len({package.name for package in packages}) != len(packages):
        raise LockError("lock: wanted each name once, got one twice")
    if lock_text(packages) != text:
        raise LockError("lock: wanted its one spelling (sorted, one line per package)")
    return tuple(packages)


def load_lock(path: Path) -> tuple[Package, ...]:
    """Return the packages of the lock at `path`.

    Raises:
        LockError: the file is missing or is not a lock in its one spelling.
    """
    try:
        return parse_lock(path.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError, LockError) as error:
        raise LockError(f"{path}: {error}") from error
