# SPDX-License-Identifier: Apache-2.0
"""The tree of the image: single files out of locked packages, and our own; nothing else gets in.

The rule that holds here: the tree is added to, never taken from. A file is in it because the guest
can import it (`image/reach.py`), because a file in it needs it as a library (`image.linking`), or
because a table here names it. Every file is root's; modes are 0755 for the three that are executed
by name and 0644 for the rest. What it comes to stands, path by path, in `image/files.txt`.
"""

import json
import posixpath
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from image import cpio, deb
from image.cpio import Entry
from image.errors import ImageError
from image.linking import is_elf, parse_linking

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent
LEFT_OUT: Final = HERE / "left-out.txt"
REACH: Final = HERE / "reach.py"

PYTHON: Final = "usr/bin/python3.13"
STDLIB: Final = "usr/lib/python3.13"
NATIVE: Final = f"{STDLIB}/lib-dynload"
PACKAGES: Final = "usr/lib/python3/dist-packages"
LIBRARIES: Final = "usr/lib/x86_64-linux-gnu"
LINKER: Final = f"{LIBRARIES}/ld-linux-x86-64.so.2"
CACHE_TAG: Final = "cpython-313"  # PEP 3147
LLAMA: Final = f"{PACKAGES}/llama_cpp/lib"
PUBLISHED: Final = "usr/lib/sealroom/published.json"
EXECUTED: Final = frozenset({"init", PYTHON, LINKER})

FOLDERS: Final = ("dev", "proc", "sys")  # PID 1 mounts on them
LINKS: Final = {"lib": "usr/lib", "lib64": "usr/lib64"}  # the linker is /lib64/ld-linux-x86-64.so.2
OURS: Final = ("attest", "guest", "guestapi", "wire")
# The first program of the image; `guest.boot.environment` starts it a second time.
INIT: Final = b"""\
#!/usr/bin/python3.13 -IS
import sys

sys.path.append("/usr/lib/python3/dist-packages")
from guest.boot import environment

environment.renew()
from guest.boot.pid1 import main

main()
"""
# What is imported by no statement: by the interpreter itself, by name, or by native code.
UNSEEN: Final = (
    "_cffi_backend",  # cryptography's native module
    "_strptime",  # datetime's
    "encodings.ascii",
    "encodings.idna",
    "encodings.latin_1",
    "encodings.utf_16_be",
    "encodings.utf_8",
    "google._upb._message",  # protobuf, by the name of its implementation
    "llama_cpp.llama_cpp",  # guest.worker.binding
    "runpy",  # python -m
    "site",
)
PYTHON_MAX_S: Final = 300


class LayoutError(ImageError):
    """The parts do not make the tree: one is missing, or two want the same path."""


class Tree:
    """Files and links by path; the folders above them come by themselves."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """Start with these entries."""
        self._entries: dict[str, Entry] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Put one entry in.

        Raises:
            LayoutError: its path is taken by another one.
        """
        if self._entries.setdefault(entry.path, entry) != entry:
            raise LayoutError(f"{entry.path}: wanted one entry, got two that differ")

    def __contains__(self, path: str) -> bool:
        """Whether the path is a file or link of the tree."""
        return path in self._entries

    def __getitem__(self, path: str) -> Entry:
        """Return the entry at a path.

        Raises:
            LayoutError: there is none.
        """
        if path not in self._entries:
            raise LayoutError(f"{path}: wanted it in the packages, got no such file")
        return self._entries[path]

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries in the order of their paths, folders not made up."""
        return iter(sorted(self._entries.values()))

    def whole(self) -> tuple[Entry, ...]:
        """Return the entries with every folder above them."""
        folders = {
            str(parent)
            for path in self._entries
            for parent in Path(path).parents
            if parent != Path()
        }
        added = [cpio.folder(path) for path in folders - self._entries.keys()]
        return tuple(sorted([*self._entries.values(), *added]))

    def write(self, folder: Path) -> None:
        """Write the tree below `folder`, which has to be new."""
        folder.mkdir(parents=True)
        for entry in self.whole():
            path = folder / entry.path
            if entry.kind == stat.S_IFDIR:
                path.mkdir()
            elif entry.kind == stat.S_IFLNK:
                path.symlink_to(entry.data.decode())
            else:
                path.write_bytes(entry.data)
                path.chmod(entry.permissions)


def in_image(path: str, data: bytes) -> Entry:
    """Return a file's entry with the mode that it has in the image."""
    return cpio.file(path, data, 0o755 if path in EXECUTED else 0o644)


def debian_entries(packages: Mapping[str, Path]) -> Iterator[Entry]:
    """Yield what could be used of the packages: the interpreter, its modules, and libraries."""
    for _, path in sorted(packages.items()):
        for entry in deb.entries(path):
            place = deb.merged_usr(entry.path)
            library = posixpath.dirname(place) in (LIBRARIES, "usr/lib64") and ".so" in place
            if not (library or place == PYTHON or place.startswith(f"{STDLIB}/")):
                continue
            if entry.kind is deb.Kind.SYMLINK:
                yield cpio.link(place, entry.target)
            elif entry.kind is deb.Kind.FILE:
                yield in_image(place, entry.data)
            elif entry.kind is deb.Kind.HARDLINK:
                raise LayoutError(f"{place}: wanted a file or link, got a hard link")


def own_entries(root: Path = ROOT) -> Iterator[Entry]:
    """Yield our modules and the data beside them (the prompts); not what only describes them."""
    for package in OURS:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in (".py", ".txt") and "__pycache__" not in path.parts:
                yield in_image(f"{PACKAGES}/{path.relative_to(root)}", path.read_bytes())


def llama_entries(folder: Path) -> Iterator[Entry]:
    """Yield the libraries of llama.cpp, each under the name by which it is asked for.

    Raises:
        LayoutError: `folder` has no libllama.so.
    """
    for path in sorted(folder.glob("*.so*")):
        if not path.is_symlink():
            data = path.read_bytes()
            yield in_image(f"{LLAMA}/{parse_linking(data).soname or path.name}", data)
    if not (folder / "libllama.so").exists():
        raise LayoutError(f"{folder}: wanted libllama.so, got none")
    soname = parse_linking((folder / "libllama.so").read_bytes()).soname
    if soname != "libllama.so":
        yield cpio.link(f"{LLAMA}/libllama.so", soname)


def left_out(text: str) -> dict[str, str]:
    """Return the rows of image/left-out.txt: module and reason.

    Raises:
        LayoutError: a row has no reason, or stands twice.
    """
    rows: dict[str, str] = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.partition(" ")
            if not reason.strip() or name in rows:
                raise LayoutError(f"left-out: wanted one reason for {name}, got {line!r}")
            rows[name] = reason.strip()
    return rows


def guest_modules(pool: Tree) -> list[str]:
    """Return every module of `guest` by its name."""
    below = f"{PACKAGES}/"
    names = (
        entry.path.removeprefix(below) for entry in pool if entry.path.startswith(f"{below}guest/")
    )
    modules = (name.removesuffix(".py").replace("/", ".") for name in names if name.endswith(".py"))
    return sorted(name.removesuffix(".__init__") for name in modules)


def ask(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Put a request to image/reach.py, run by the interpreter in `folder`.

    Raises:
        LayoutError: it failed; the text has its last words.
    """
    # The linker is named so that neither the machine's libraries nor a chroot are needed.
    command = [f"{folder / LINKER}", "--library-path", f"{folder / LIBRARIES}"]
    command += [f"{folder / PYTHON}", "-I", "-S", "-B", f"{REACH}"]
    run = subprocess.run(
        command,
        input=json.dumps(request).encode(),
        capture_output=True,
        check=False,
        env={"LC_ALL": "C.UTF-8"},
        timeout=PYTHON_MAX_S,
    )
    if run.returncode:
        raise LayoutError(
            f"{REACH.name}: wanted exit 0, got {run.returncode}\n{run.stderr.decode()}"
        )
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def reached(pool: Tree, folder: Path) -> Tree:
    """Return what the guest can import, out of a pool that was written to `folder`.

    Raises:
        LayoutError: an import leads nowhere and image/left-out.txt does not say why, or it names
            a module that no import asks for.
    """
    rows = left_out(LEFT_OUT.read_text())
    answer = ask(
        folder,
        {
            "folders": [str(folder / place) for place in (STDLIB, NATIVE, PACKAGES)],
            "left_out": sorted(rows),
            "roots": [*guest_modules(pool), *UNSEEN],
        },
    )
    lost = [f"{name}, by {', '.join(by)}" for name, by in answer["absent"].items()]
    idle = sorted(set(rows) - set(answer["used"]))
    if lost or idle:
        lines = [f"  imported, and not in the packages: {row}" for row in lost]
        lines += [f"  left out, and not imported: {row}" for row in idle]
        raise LayoutError("\n".join(["wanted imports and left-out.txt to agree, got", *lines]))
    found = (path.removeprefix(f"{folder}/") for path in answer["files"].values() if path)
    # A package's data is what lies beside a module that is in it, and is no module.
    paths = set(found)
    beside = {posixpath.dirname(path) for path in paths}
    data = (e.path for e in pool if e.path.endswith(".txt") and posixpath.dirname(e.path) in beside)
    return Tree(pool[path] for path in sorted({*paths, *data}))


def with_libraries(tree: Tree, pool: Tree) -> Tree:
    """Return the tree with every library that an ELF file in it needs, and the linker.

    Raises:
        LayoutError: one of them is in no package.
    """
    whole = Tree(tree)
    waiting = [entry for entry in tree if is_elf(entry.data)]
    while waiting:
        entry = waiting.pop()
        if entry.kind == stat.S_IFLNK:
            target = posixpath.normpath(
                posixpath.join(posixpath.dirname(entry.path), entry.data.decode())
            )
            places = [target]
        else:
            file = parse_linking(entry.data)
            own = posixpath.dirname(entry.path)
            near = [own] if "$ORIGIN" in file.search else []
            asked = [*file.needed, *([LINKER] if file.interpreter else [])]
            places = [_place(pool, name, [*near, LIBRARIES]) for name in asked]
        for place in places:
            if place not in whole:
                whole.add(pool[place])
                waiting.append(pool[place])
    return whole


def compiled(tree: Tree, pool: Path, out: Path) -> Iterator[Entry]:
    """Yield the compiled form of every module, made by the interpreter in `pool` below `out`.

    It carries a hash of the source that nobody checks at import (PEP 552), and no time. All are
    made in one process and in one order, because the bytes depend on what was compiled before.
    """
    targets = {}
    for entry in tree:
        if entry.path.endswith(".py"):
            above, name = posixpath.split(entry.path)
            targets[entry.path] = f"{above}/__pycache__/{name.removesuffix('.py')}.{CACHE_TAG}.pyc"
    rows = [(f"{pool}/{path}", f"{out}/{target}", f"/{path}") for path, target in targets.items()]
    ask(pool, {"compile": rows})
    for target in targets.values():
        yield in_image(target, (out / target).read_bytes())


def base_entries(published: bytes) -> Iterator[Entry]:
    """Yield what is made here: the first program, what the image says of itself, and folders."""
    yield in_image("init", INIT)
    yield in_image(PUBLISHED, published)
    yield from (cpio.folder(path) for path in FOLDERS)
    yield from (cpio.link(path, target) for path, target in LINKS.items())
    yield cpio.link(
        "usr/lib64/ld-linux-x86-64.so.2", "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
    )


def lay_out(
    debian: Iterable[Entry],
    packages: Iterable[Entry],
    own: Iterable[Entry],
    llama: Iterable[Entry],
    *,
    published: bytes,
    scratch: Path,
) -> tuple[Entry, ...]:
    """Return the whole tree of the image. `packages` have paths below site-packages.

    Raises:
        ImageError: see the steps above.
    """
    named = (in_image(f"{PACKAGES}/{entry.path}", entry.data) for entry in packages)
    pool = Tree([*debian, *named, *own, *llama])
    pool.write(scratch / "pool")
    chosen = reached(pool, scratch / "pool")
    for path in (PYTHON, f"{LLAMA}/libllama.so"):
        chosen.add(pool[path])
    for entry in pool:
        if entry.path.startswith(f"{LLAMA}/"):
            chosen.add(entry)
    chosen = with_libraries(chosen, pool)
    for entry in [
        *compiled(chosen, scratch / "pool", scratch / "compiled"),
        *base_entries(published),
    ]:
        chosen.add(entry)
    return chosen.whole()


def _place(pool: Tree, name: str, folders: list[str]) -> str:
    places = [name] if "/" in name else [f"{folder}/{name}" for folder in folders]
    for place in places:
        if place in pool:
            return place
    raise LayoutError(f"{name}: wanted this library in {folders}, got no such file")
