# SPDX-License-Identifier: Apache-2.0
"""The machine protocol, against a fake that speaks it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.vm.errors import VmError
from lab.vm.qmp import LINE_MAX_BYTES, Qmp
from tests.lab.vm.fakes import FakeQemu, listening


def write_dump(arguments: dict[str, Any]) -> dict[str, Any]:
    Path(arguments["protocol"].removeprefix("file:")).write_bytes(b"memory")
    return {}


@pytest.fixture
def qemu() -> FakeQemu:
    return FakeQemu(
        {
            "query-status": lambda _: {"status": "running", "running": True},
            "dump-guest-memory": write_dump,
            "stop": lambda _: {},
            "cont": lambda _: {},
        }
    )


@pytest.fixture
def path(tmp_path: Path, qemu: FakeQemu) -> Iterator[Path]:
    with listening(tmp_path / "qmp", qemu.serve):
        yield tmp_path / "qmp"


def test_status_is_told_and_events_are_passed_over(path: Path) -> None:
    with Qmp(path) as qmp:
        assert qmp.status() == "running"


def test_memory_is_dumped_into_the_named_file(path: Path, tmp_path: Path) -> None:
    with Qmp(path) as qmp:
        qmp.stop()
        qmp.dump_memory(tmp_path / "dump")
        qmp.go_on()
    assert (tmp_path / "dump").read_bytes() == b"memory"


def test_an_error_of_qemu_is_raised_with_its_words(path: Path) -> None:
    with Qmp(path) as qmp, pytest.raises(VmError, match="QMP blow-up: wanted success, got no"):
        qmp.execute("blow-up")


def test_nobody_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VmError, match="wanted a connection"):
        Qmp(tmp_path / "qmp")


@pytest.mark.parametrize(
    ("greeting", "wanted"),
    [
        (b'{"event": "x"}\n', "the member QMP"),
        (b"hello\n", "JSON"),
        (b"[]\n", "an object"),
        (b"x" * (LINE_MAX_BYTES + 65536), "a line of at most"),
    ],
)
def test_another_greeting_is_refused(
    path: Path, qemu: FakeQemu, greeting: bytes, wanted: str
) -> None:
    qemu.greeting = greeting
    with pytest.raises(VmError, match=wanted):
        Qmp(path)


def test_the_end_of_the_connection_is_an_error(tmp_path: Path) -> None:
    with listening(tmp_path / "qmp", lambda _: None), pytest.raises(VmError):
        Qmp(tmp_path / "qmp")
