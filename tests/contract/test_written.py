# SPDX-License-Identifier: Apache-2.0
"""Who may write: in the guest the journal alone, outside it a few named lines.

A journal of typed events is worth nothing if something beside it can print. So the source is read,
not run: each way to write that Python has is looked for, and each use has a row here with a reason.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from guest.journal import FIELDS, Event
from tests.contract.repository import ROOT, files, text

# (file, what it uses) -> why it may. What is not here may not be.
ALLOWED = {
    ("guest/journal.py", "os.write"): "the one line of an event",
    ("guest/worker/modelfile.py", "os.write"): "the model, into a memfd",
    ("guest/keyholder/tsm.py", "os.write"): "a report's input, into configfs",
    ("guest/boot/switches.py", "os.write"): "switches, to the kernel",
    ("guest/cgroups.py", "os.write"): "limits, and a process's number, to the kernel",
    ("guest/faults.py", "logging"): "to drop what others log",
    ("guest/faults.py", "warnings"): "to drop what others warn of",
    ("guest/gate/server.py", "logging"): "to drop what grpclib logs",
    ("guest/gate/__main__.py", "logging"): "to drop what asyncio logs",
    ("services/journal.py", "logging"): "to write kind and place of a fault, and drop the rest",
    ("services/journal.py", "traceback"): "the place of a fault",
    ("services/journal.py", "sys.stderr"): "kind and place of a fault",
    ("services/serving.py", "logging"): "the type of what services.journal makes",
    ("services/command.py", "sys.stdout"): "the address listened on; observations, where asked for",
    ("services/command.py", "sys.stderr"): "why the address cannot be listened on",
    ("services/ingress/__main__.py", "print"): "the address of the metrics",
    ("services/relay/nginx.py", "sys.stdout"): "a configuration for nginx; no service runs then",
}
NAMES = {"print", "input", "breakpoint"}
MODULES = {"logging", "warnings", "traceback", "syslog", "faulthandler", "cgitb", "pdb", "pprint"}
ATTRIBUTES = {
    *("sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__", "sys.displayhook"),
    *("os.write", "os.writev", "os.pwrite", "os.sendfile", "os.fdopen", "os.system", "os.popen"),
}


def written_in(path: Path) -> Iterator[str]:
    """Each way to write that a file uses."""
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            yield str(node.module)
        elif isinstance(node, ast.Name) and node.id in NAMES:
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{node.value.id}.{node.attr}"
            if name in ATTRIBUTES:
                yield name


def calls(path: Path, function: str) -> Iterator[ast.Call]:
    """Each call in a file whose function is spelled so."""
    for node in ast.walk(ast.parse(text(path))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == function:
            yield node


def test_nothing_writes_that_has_no_row_here() -> None:
    found = {
        (str(path), use)
        for path in files("guest/*.py", "services/*.py")
        for use in written_in(path)
    }
    assert found == set(ALLOWED)


def test_a_search_of_the_source_finds_each_way_to_write(tmp_path: Path) -> None:
    ways = "import logging\nfrom traceback import format_exc\nprint(sys.stderr, os.write)\n"
    path = tmp_path / "ways.py"
    path.write_text(ways)
    assert set(written_in(path)) == {"logging", "traceback", "print", "sys.stderr", "os.write"}


def test_every_event_is_recorded_with_the_numbers_of_its_row() -> None:
    recorded = set()
    for path in files("guest/*.py"):
        for call in calls(path, "journal.record"):
            (event,) = call.args
            assert isinstance(event, ast.Attribute), f"{path}:{call.lineno}"
            assert {word.arg for word in call.keywords} == set(FIELDS[Event[event.attr]]), (
                f"{path}:{call.lineno}"
            )
            recorded.add(Event[event.attr])
    assert recorded == set(Event)


def test_a_process_of_the_guest_exits_with_numbers_only() -> None:
    for path in files("guest/*.py"):
        for function in ("sys.exit", "SystemExit"):
            for call in calls(path, function):
                assert all(
                    isinstance(argument, ast.Constant) and isinstance(argument.value, int)
                    for argument in call.args
                ), f"{path}:{call.lineno}"


def test_the_rows_name_files_that_exist() -> None:
    assert [name for name, _ in ALLOWED if not (ROOT / name).is_file()] == []
