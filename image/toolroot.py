# SPDX-License-Identifier: Apache-2.0
"""The tools that build the image: locked packages in a folder, entered without root.

The rule that holds here: what is built depends on the lock, not on the machine. A command runs in
namespaces of its own (user, mount, network, process) with the tool root as its read-only root, a
literal environment, no network, and only the folders that are given to it, always at the same
paths under /build. Inside it is uid 0 whoever started it. No maintainer script ever ran: the few
things one would have made are MADE, below.

    python -m image.toolroot                        # lay the tools out
    python -m image.toolroot -- gcc --version       # run one of them
"""

import argparse
import fcntl
import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.deb import USR_MERGED, Entry, Kind, entries, merged_usr
from image.errors import ImageError
from image.fetch import fetch

LOCK = Path("image/locks/tools.json")
TOOLS = Path("build/image/tools")
LOG_TAIL_LINES = 40

# What maintainer scripts (alternatives, base-files, base-passwd) would have made.
MADE = {
    "usr/bin/awk": "gawk",
    "usr/bin/c++": "g++-14",
    "usr/bin/cc": "gcc-14",
    "usr/bin/cpp": "cpp-14",
    "usr/bin/g++": "g++-14",
    "usr/bin/gcc": "gcc-14",
    "usr/bin/yacc": "bison.yacc",
    **{name: f"usr/{name}" for name in USR_MERGED},
}
MADE_FILES = {
    "etc/passwd": "root:x:0:0:root:/tmp:/bin/sh\n",
    "etc/group": "root:x:0:\n",
}
# Where something is mounted when the root is entered, and the devices that are bound into it.
FOLDERS = ("build", "dev", "proc", "tmp", "usr/bin", "usr/lib", "usr/lib64", "usr/sbin", "etc")
DEVICES = ("full", "null", "random", "urandom", "zero")
LEFT_OUT = tuple(f"usr/share/{name}/" for name in ("doc", "info", "lintian", "locale", "man"))
STAMP = ".laid"

ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108 -- a tmpfs of the command's own
    "LC_ALL": "C",
    "PATH": "/usr/bin:/usr/sbin",
    "SOURCE_DATE_EPOCH": "0",
    "TZ": "UTC",
}
"""The whole environment of a command, before what its caller adds."""

FAKETIME_LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
"""What shifts a command's clock where the caller's is shifted (image/repro.py)."""

# For unshare, sh, mount and chroot of the machine.
OUTER_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
# Run by the machine's sh inside the new namespaces. Arguments: devices, root, its options, then
# SOURCE TARGET OPTIONS for each folder, "--", and the command.
_ENTER = """
set -eu
umask 022
devices=$1 root=$2 flags=$3
shift 3
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc 2>/dev/null || mount --rbind /proc proc
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs build
mount -t tmpfs -o mode=755 tmpfs dev
ln -s /proc/self/fd dev/fd
for device in $devices; do : > dev/$device; mount --bind /dev/$device dev/$device; done
while [ "$1" != -- ]; do
  mkdir -p ".$2"
  mount --bind "$1" ".$2"
  [ -z "$3" ] || mount -o "remount,bind,$3" ".$2"
  shift 3
done
shift
mount -o "remount,bind,$flags" .
exec env -i "$@"
"""


class ToolError(ImageError):
    """A tool cannot be laid out or entered, or ended with an error."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of the machine given to a command.

    Attributes:
        source: the folder.
        target: where the command sees it, an absolute path under /build.
        writable: whether the command may change it.
    """

    source: Path
    target: str
    writable: bool = False


def say(text: str) -> None:
    """Print a line of progress to standard error."""
    print(f"tools: {text}", file=sys.stderr, flush=True)


def _lay_entry(root: Path, entry: Entry) -> None:
    """Write one entry of a package; set-id bits and foreign owners are not kept."""
    path = root / merged_usr(entry.path)
    if entry.kind is Kind.DIRECTORY:
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or path.exists():
        raise ToolError(f"{entry.path}: wanted from one package, got from two")
    if entry.kind is Kind.FILE:
        path.write_bytes(entry.data)
        path.chmod(0o755 if entry.mode & 0o111 else 0o644)
    elif entry.kind is Kind.SYMLINK:
        path.symlink_to(entry.target)
    else:
        path.hardlink_to(root / merged_usr(entry.target))


def lay(packages: Mapping[str, Path], root: Path, made: Mapping[str, str] = MADE) -> None:
    """Lay the data of the packages out under `root`, an empty folder, with what is `made`.

    Raises:
        ImageError: a package is not well-formed, or two of them have the same file.
    """
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
    for name in sorted(packages):
        for entry in entries(packages[name]):
            # base-files has the links of the root as entries of its own.
            if entry.path not in USR_MERGED and not f"{entry.path}/".startswith(LEFT_OUT):
                _lay_entry(root, entry)
    for path, target in made.items():
        (root / path).symlink_to(target)
    for path, text in MADE_FILES.items():
        (root / path).unlink(missing_ok=True)
        (root / path).write_text(text)


def laid_key(lock: Path) -> str:
    """Return the digest of what a tool root depends on: its lock, and what is made or left out."""
    tables = json.dumps([MADE, MADE_FILES, FOLDERS, LEFT_OUT])
    return hashlib.sha256(lock.read_bytes() + tables.encode()).hexdigest()


def _in_use(root: Path) -> Path:
    """Return the file that a command locks, shared, while it runs in the root."""
    return root.parent / f".{root.name}.lock"


def tool_root(lock: Path = LOCK, root: Path = TOOLS) -> Path:
    """Return the tool root of a lock, laid out if it is not there or of another lock.

    Raises:
        ImageError: a package is not to be had or cannot be laid out.
    """
    key = laid_key(lock)
    stamp = root / STAMP
    if stamp.is_file() and stamp.read_text() == key:
        return root
    packages = fetch(lock)
    began = time.monotonic()
    say(f"{root}: laying {len(packages)} packages out")
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=f".{root.name}-") as scratch:
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        new.mkdir()
        lay(packages, new)
        (new / STAMP).write_text(key)
        with _in_use(root).open("w") as users:
            # Until each command that runs in the old root has ended.
            fcntl.flock(users, fcntl.LOCK_EX)
            if root.exists():
                root.rename(old)
            new.rename(root)
    say(f"{root}: laid out in {time.monotonic() - began:.0f} s")
    return root


def _mount_flags(folder: Path, writable: bool) -> str:
    """Return the options of a bind mount, with those that its file system already has.

    A user namespace may not drop nosuid, nodev and noexec of a mount it inherited, and a remount
    that leaves them out would try to (mount_namespaces(7)).
    """
    has = os.statvfs(folder).f_flag
    locked = {"nosuid": os.ST_NOSUID, "nodev": os.ST_NODEV, "noexec": os.ST_NOEXEC}
    names = [] if writable else ["ro"]
    return ",".join(names + [name for name, flag in locked.items() if has & flag])


def command(
    argv: Sequence[str],
    *,
    root: Path = TOOLS,
    mounts: Sequence[Mount] = (),
    env: Mapping[str, str] | None = None,
    real_users: bool = False,
) -> list[str]:
    """Return the command that runs `argv` in the root; its own environment is irrelevant.

    Args:
        argv: the program, by its path or found in ENVIRONMENT's, and its arguments.
        root: a tool root, or another folder with a tree of its own.
        mounts: what the command gets of the machine.
        env: variables besides ENVIRONMENT.
        real_users: keep the machine's user ids, which takes root; otherwise there is uid 0 alone.

    Raises:
        ToolError: a folder to mount is not there, or would lie elsewhere than under /build.
    """
    words = ["flock", "--shared", "--no-fork", str(_in_use(root.resolve()))]
    words += ["unshare", *(() if real_users else ("--user", "--map-root-user")), "--mount", "--net"]
    words += ["--ipc", "--pid", "--fork", "--kill-child", "--", "/bin/sh", "-c", _ENTER, "sh"]
    words += [" ".join(DEVICES), str(root.resolve()), _mount_flags(root, False)]
    for mount in mounts:
        if not mount.target.startswith("/build/") or ".." in mount.target:
            raise ToolError(f"mount: wanted a place under /build, got {mount.target}")
        if not mount.source.is_dir():
            raise ToolError(f"mount: wanted a folder, got {mount.source}")
        flags = "" if mount.writable else _mount_flags(mount.source, False)
        words += [str(mount.source.resolve()), mount.target, flags]
    variables = {**ENVIRONMENT, **(env or {})}
    words += ["--", *(f"{name}={value}" for name, value in sorted(variables.items()))]
    words += ["chroot", "."]
    if "FAKETIME" in os.environ:
        shift = f"FAKETIME={os.environ['FAKETIME']}"
        words += ["/usr/bin/env", shift, f"LD_PRELOAD={FAKETIME_LIBRARY}"]
    return [*words, *argv]


def run(
    argv: Sequence[str],
    *,
    log: Path,
    mounts: Sequence[Mount] = (),
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
    root: Path | None = None,
) -> None:
    """Run `argv` in the tool root; what it prints goes to `log`, and each line to `on_line`.

    Raises:
        ImageError: the tools cannot be laid out or entered, or the command ends with an error.
    """
    words = command(argv, root=root or tool_root(), mounts=mounts, env=env)
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w") as kept,
        subprocess.Popen(
            words,
            env=OUTER_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as ran,
    ):
        for line in ran.stdout or ():
            kept.write(line)
            if on_line is not None:
                on_line(line.rstrip("\n"))
    if ran.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
        raise ToolError(
            f"{tail}\n{shlex.join(argv)}: wanted exit 0, got {ran.returncode}: see {log}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Lay the tools out, and run one of them if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("argv", nargs="*", help="a command to run in the tool root")
    options = parser.parse_args(arguments)
    try:
        root = tool_root()
        if not options.argv:
            return 0
        return subprocess.call(command(options.argv, root=root), env=OUTER_ENVIRONMENT)
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
