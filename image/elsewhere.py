# SPDX-License-Identifier: Apache-2.0
"""The same checkout somewhere else: another path, user, time zone, locale, umask, seed and clock.

The rule that holds here: the second build is made from the source alone. It has a folder and a
cache of its own; into the cache go the downloaded packages, which are verified again, and nothing
that was built. A variation that did not take is an error, since then nothing was shown.
"""

import json
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from image.errors import ImageError

NOT_SOURCE = ("__pycache__", ".*_cache", ".git", ".hypothesis", ".venv", "build", "node_modules")
OTHER_PLACE = "another-place/with-a-longer-path/checkout"
OTHER_ZONE = "Pacific/Kiritimati"
OTHER_LOCALES = ("tr_TR.utf8", "de_DE.utf8", "C.utf8")
OTHER_UMASK = 0o077
OTHER_SEED = "4242"
CLOCK_SHIFT_DAYS = 1620
OTHER_USER = "nobody"
STDERR = 2  # as a descriptor: standard output is for digests alone

# What the other place says of itself, to be compared with what was meant.
_TELL = """
import json, locale, os, time
mask = os.umask(0)
print(json.dumps({"path": os.getcwd(), "zone": time.tzname[0], "umask": mask, "user": os.getuid(),
                  "seed": os.environ["PYTHONHASHSEED"],
                  "locale": locale.setlocale(locale.LC_ALL, ""),  # an error where there is none
                  "days": round((time.time() - NOW) / 86400)}))
"""


class ElsewhereError(ImageError):
    """The other place could not be made, is not other enough, or a command failed in it."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A second checkout and how commands are run in it.

    Attributes:
        checkout: its folder.
        python: the interpreter and its options.
        user: the user id that commands run as.
        environment: their whole environment.
    """

    checkout: Path
    python: tuple[str, ...]
    user: int
    environment: dict[str, str]

    def run(self, arguments: Sequence[str], *, capture: bool = False) -> str:
        """Run Python with these arguments in the checkout and return what it printed.

        Raises:
            ElsewhereError: it cannot be started or ends with an error.
        """
        user, groups = _as(self.user)
        try:
            ended = subprocess.run(
                [*self.python, *arguments],
                cwd=self.checkout,
                env=self.environment,
                umask=OTHER_UMASK,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if capture else STDERR,
                text=True,
                check=True,
                user=user,
                extra_groups=groups,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise ElsewhereError(
                f"elsewhere: wanted {arguments[:3]} to work, got {error}"
            ) from error
        return str(ended.stdout or "")

    def tell(self) -> dict[str, object]:
        """Return what differs there, as the place itself sees it.

        Raises:
            ElsewhereError: something is as it is here.
        """
        got = json.loads(self.run(["-c", _TELL.replace("NOW", str(time.time()))], capture=True))
        wanted = {
            "path": str(self.checkout),
            "zone": "+14",
            "umask": OTHER_UMASK,
            "user": self.user,
            "seed": OTHER_SEED,
            "locale": self.environment["LC_ALL"],
            "days": CLOCK_SHIFT_DAYS,
        }
        if got != wanted:
            raise ElsewhereError(f"elsewhere: wanted {wanted}, got {got}")
        return dict(got)


def _as(user: int) -> tuple[int | None, list[int] | None]:
    """Return what subprocess takes to run as that user, in no other group; nothing for our own."""
    return (None, None) if user == os.getuid() else (user, [])


def link_or_copy(source: str, target: str) -> None:
    """Give a file a second name, or copy it where that cannot be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def other_locale() -> str:
    """Return a locale that this machine has, an unusual one where there is a choice."""
    known = subprocess.run(
        ["/usr/bin/locale", "-a"], capture_output=True, text=True, check=False
    ).stdout
    return next((name for name in OTHER_LOCALES if name in known.split()), "C")


def pythons() -> list[str]:
    """Return where Pythons of the version that runs here may lie."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"]


def interpreter(user: int, programs: Sequence[str]) -> tuple[str, ...]:
    """Return the first of the Pythons that the user may start.

    Raises:
        ElsewhereError: there is none.
    """
    other, groups = _as(user)
    for program in programs:
        command = [program, "-c", ""]
        try:
            subprocess.run(
                command, check=True, capture_output=True, user=other, extra_groups=groups
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return (program, "-B")
    raise ElsewhereError(
        f"elsewhere: wanted a Python that uid {user} may start, got none of {programs}"
    )


@contextmanager
def elsewhere(
    root: Path, *, clock: Path, cache: Path, seeds: Sequence[str] = ()
) -> Iterator[Elsewhere]:
    """Make the other place for the time of a block.

    Args:
        root: the checkout to take the source from.
        clock: a library that shifts the clock by FAKETIME when preloaded.
        cache: sealroom's cache; its downloads are taken over, to be verified again.
        seeds: folders below `root` that are inputs here though they were built.

    Raises:
        ElsewhereError: it cannot be made, or is not other enough.
    """
    user = pwd.getpwnam(OTHER_USER).pw_uid if os.getuid() == 0 else os.getuid()
    with tempfile.TemporaryDirectory(prefix="sealroom-elsewhere-") as scratch:
        top = Path(scratch).resolve()
        checkout, home = top / OTHER_PLACE, top / "home"
        shutil.copytree(root, checkout, symlinks=True, ignore=shutil.ignore_patterns(*NOT_SOURCE))
        for seed in seeds:
            shutil.copytree(root / seed, checkout / seed, symlinks=True)
        for downloads in ("debs", "python"):
            if (cache / downloads).is_dir():
                place = home / "cache/sealroom" / downloads
                shutil.copytree(cache / downloads, place, copy_function=link_or_copy)
        home.mkdir(exist_ok=True)
        shutil.copyfile(clock, top / "clock.so")
        packages = top / "packages"
        packages.symlink_to(sysconfig.get_path("purelib"))
        if user != os.getuid():
            _give(top, user)
        environment = {
            "FAKETIME": f"+{CLOCK_SHIFT_DAYS}d",
            "HOME": str(home),
            "LC_ALL": other_locale(),
            "LD_PRELOAD": str(top / "clock.so"),
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONHASHSEED": OTHER_SEED,
            "PYTHONPATH": str(packages),
            "TMPDIR": str(home),
            "TZ": OTHER_ZONE,
            "XDG_CACHE_HOME": str(home / "cache"),
        }
        yield Elsewhere(checkout, interpreter(user, pythons()), user, environment)


def _give(top: Path, user: int) -> None:
    """Make everything under `top` the user's, but for files that have a second name elsewhere."""
    for path in (top, *top.rglob("*")):
        if path.is_dir() or path.is_symlink() or path.lstat().st_nlink == 1:
            os.chown(path, user, -1, follow_symlinks=False)
