# SPDX-License-Identifier: Apache-2.0
"""Run by the image's own interpreter: which modules can be reached, and their compiled form.

The rule that holds here: every import statement counts, those inside functions too, whatever the
path that leads there. Only what cannot run is passed over: blocks for type checkers, for other
systems, and for a module run as a program. So no import of the image fails but those that
image/left-out.txt names. What native code imports is not to be seen here and stands in the request.

This file imports nothing of ours: it runs where only the standard library is. It reads one JSON
object from standard input and writes one to standard output; `image.layout` is the other side.
"""

import ast
import json
import py_compile
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Conditions whose outcome is known for an imported module on Linux.
KNOWN = {
    "TYPE_CHECKING": False,
    "typing.TYPE_CHECKING": False,
    "__name__ == '__main__'": False,
    "os.name == 'nt'": False,
    "os.name == 'posix'": True,
    "sys.platform == 'win32'": False,
    "sys.platform != 'win32'": True,
    "sys.platform == 'darwin'": False,
    "sys.platform.startswith('win')": False,
    "_mswindows": False,
    "_WIN32": False,
}
SUFFIXES = (".cpython-313-x86_64-linux-gnu.so", ".abi3.so", ".so", ".py")


# Modules that the interpreter makes without a file.
MADE = {"_frozen_importlib", "_frozen_importlib_external", "collections.abc", "os.path"}


def imported(node: ast.AST, package: str) -> Iterator[tuple[str, bool]]:
    """Yield what the import statements below `node` name, and whether it must be a module."""
    if isinstance(node, ast.If):
        known = KNOWN.get(ast.unparse(node.test))
        for branch, never in ((node.body, False), (node.orelse, True)):
            for statement in branch if known is not never else ():
                yield from imported(statement, package)
        return
    if isinstance(node, ast.Import):
        yield from ((alias.name, True) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        yield base, True
        # A name that is no module is an attribute of one.
        yield from ((f"{base}.{alias.name}", False) for alias in node.names)
    for child in ast.iter_child_nodes(node):
        yield from imported(child, package)


class Reach:
    """The modules reached from some, below folders that are searched in order."""

    def __init__(self, folders: list[str], left_out: set[str]) -> None:
        """Take the folders and the names that are not followed, with all below them."""
        self._folders = [Path(folder) for folder in folders]
        self._left_out = left_out
        self.files: dict[str, str] = {}
        self.absent: dict[str, set[str]] = {}
        self.used: set[str] = set()

    def find(self, name: str) -> tuple[str, bool] | None:
        """Where a module is, and whether it is a package; "" for a package without a file."""
        below = name.replace(".", "/")
        for folder in self._folders:
            if (folder / below / "__init__.py").is_file():
                return f"{folder / below}/__init__.py", True
            for suffix in SUFFIXES:
                if (folder / f"{below}{suffix}").is_file():
                    return f"{folder / below}{suffix}", False
        return ("", True) if any((folder / below).is_dir() for folder in self._folders) else None

    def add(self, names: list[str]) -> None:
        """Reach these modules, the packages above them, and whatever they import."""
        waiting = [(name, True, "the guest") for name in names]
        while waiting:
            name, sure, by = waiting.pop()
            parts = name.split(".")
            above = {".".join(parts[:size]) for size in range(1, len(parts) + 1)}
            if out := above & self._left_out:
                self.used |= out
                continue
            waiting += [(package, sure, by) for package in above - {name} - self.files.keys()]
            if name in self.files or name in MADE or name in sys.builtin_module_names:
                continue
            found = self.find(name)
            if found is not None:
                self.files[name] = found[0]
                waiting += [(*other, name) for other in self._imports(name, *found)]
            elif sure:
                self.absent.setdefault(name, set()).add(by)

    @staticmethod
    def _imports(name: str, path: str, package: bool) -> Iterator[tuple[str, bool]]:
        if path.endswith(".py"):
            tree = ast.parse(Path(path).read_bytes())
            yield from imported(tree, name if package else name.rpartition(".")[0])


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Answer either kind of request: "roots" (what is reached) or "compile" (a list of files)."""
    if "compile" in request:
        for source, compiled, shown in request["compile"]:
            Path(compiled).parent.mkdir(parents=True, exist_ok=True)
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            py_compile.compile(source, compiled, shown, doraise=True, invalidation_mode=mode)
        return {}
    reach = Reach(request["folders"], set(request["left_out"]))
    reach.add(request["roots"])
    absent = {name: sorted(by) for name, by in sorted(reach.absent.items())}
    return {"files": reach.files, "absent": absent, "used": sorted(reach.used)}


if __name__ == "__main__":
    json.dump(main(json.load(sys.stdin)), sys.stdout)
