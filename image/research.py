# SPDX-License-Identifier: Apache-2.0
"""What the research image has and no other: a shell on the console, and strace.

It is laid over the production image's bytes. Its first program starts a shell and is then the same
as the production image's; what the shell looks at is the guest as it runs for everybody. The image
says RESEARCH of itself, and its measurement is another one, which a production policy refuses.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from image import cpio, deb
from image.cpio import Entry
from image.layout import INIT, LIBRARIES, LayoutError, Tree, with_libraries

PROGRAMS: Final = ("usr/bin/busybox", "usr/bin/strace")
# Names under which busybox is a program; a link each, because nothing can be written later.
APPLETS: Final = (
    *(
        "cat",
        "df",
        "dmesg",
        "echo",
        "find",
        "free",
        "grep",
        "head",
        "hexdump",
        "kill",
        "less",
        "ls",
    ),
    *("mount", "netstat", "nproc", "ps", "sh", "sleep", "stat", "tail", "top", "uname"),
    *("vi", "wc", "xxd"),
)
# A shell that ends is started again. It has the console that the kernel gave to /init.
SHELL: Final = b"""\
import os

if os.fork() == 0:
    again = "while :; do /usr/bin/sh; /usr/bin/sleep 1; done"
    os.setsid()
    os.execve("/usr/bin/busybox", ["sh", "-c", again], {"PATH": "/usr/bin", "PS1": "research# "})

"""
_BEFORE: Final = b"from guest.boot.pid1 import main\n"


def research_init(init: bytes = INIT) -> bytes:
    """Return the research image's first program: the shell starts right before PID 1's own work.

    Raises:
        LayoutError: the production image's has not the one line that it goes before.
    """
    if init.count(_BEFORE) != 1:
        raise LayoutError(f"init: wanted one line {_BEFORE!r}, got {init.count(_BEFORE)}")
    return init.replace(_BEFORE, SHELL + _BEFORE)


def inspection(packages: Mapping[str, Path], base: Iterable[Entry]) -> Iterator[Entry]:
    """Yield what is laid over the image: programs, their libraries, links, and the first program.

    Raises:
        LayoutError: a program or a library of one is in no package.
    """
    under = Tree(entry for entry in base if entry.path.startswith(f"{LIBRARIES}/"))
    pool = Tree(under)
    for _, path in sorted(packages.items()):
        for entry in deb.entries(path):
            place = deb.merged_usr(entry.path)
            if place in PROGRAMS and entry.kind is deb.Kind.FILE:
                pool.add(cpio.file(place, entry.data, 0o755))
            elif place.startswith(f"{LIBRARIES}/") and ".so" in place:
                if entry.kind is deb.Kind.SYMLINK:
                    pool.add(cpio.link(place, entry.target))
                elif entry.kind is deb.Kind.FILE:
                    pool.add(cpio.file(place, entry.data))
    programs = Tree(pool[path] for path in PROGRAMS)
    yield from (entry for entry in with_libraries(programs, pool) if entry.path not in under)
    yield from (cpio.link(f"usr/bin/{name}", "busybox") for name in APPLETS)
    yield cpio.file("init", research_init(), 0o755)
