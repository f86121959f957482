# SPDX-License-Identifier: Apache-2.0
"""Programs out of locked packages, unpacked and run where they lie, without root or chroot."""

import functools
import subprocess
import tempfile
from pathlib import Path

from image.deb import Kind, entries, merged_usr
from image.fetch import fetch
from tests.contract.repository import ROOT

LOCKS = ROOT / "image" / "locks"
RUN_S = 60


@functools.cache
def unpacked(lock: str) -> Path:
    """The folder with all files of the packages of a lock, fetched if the cache lacks them."""
    folder = Path(tempfile.mkdtemp(prefix=f"sealroom-{lock}-"))
    links: list[tuple[Path, str]] = []
    for deb in fetch(LOCKS / f"{lock}.json").values():
        for entry in entries(deb):
            path = folder / merged_usr(entry.path)
            if entry.kind is Kind.FILE:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(entry.data)
                path.chmod(entry.mode & 0o755)
            elif entry.kind is Kind.SYMLINK:
                links.append((path, entry.target))
    for path, target in links:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A link to the root is one to our folder.
        path.symlink_to(f"{folder}{target}" if target.startswith("/") else target)
    return folder


def run(lock: str, program: str, *arguments: str) -> tuple[int, str, str]:
    """Run a program of the lock with its own loader and libraries; its exit code and its words."""
    root = unpacked(lock)
    libraries = root / "usr/lib/x86_64-linux-gnu"
    loader = root / "usr/lib64/ld-linux-x86-64.so.2"
    done = subprocess.run(
        [loader, "--library-path", libraries, root / "usr/bin" / program, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
        env={},
    )
    return done.returncode, done.stdout, done.stderr
