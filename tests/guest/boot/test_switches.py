# SPDX-License-Identifier: Apache-2.0
"""What PID 1 switches off, on files that stand in for the kernel's."""

import errno
import os
import resource
from pathlib import Path

import pytest

from guest.boot import switches
from guest.boot.published import Variant
from guest.boot.reasons import BootError, Reason
from guest.boot.switches import LOCKED_BYTES, SWITCHES, UMASK
from guest.readings import Nothing, Reading
from guest.selftest_rows import ROWS
from tests.guest.rig import in_child


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in switches.switches(Variant.PRODUCTION):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def test_each_switch_is_written(folder: Path) -> None:
    values = switches.switches(Variant.PRODUCTION)
    switches.set_all(values, folder)
    assert {name: (folder / name).read_text() for name in values} == {
        name: f"{value}\n" for name, value in values.items()
    }


def test_a_kernel_without_a_switch_is_as_it_should_be(tmp_path: Path) -> None:
    switches.set_all(SWITCHES, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_switch_that_cannot_be_opened_ends_the_machine(folder: Path) -> None:
    (folder / "kernel/sysrq").unlink()
    (folder / "kernel/sysrq").mkdir()
    with pytest.raises(BootError) as caught:
        switches.set_all(SWITCHES, folder)
    assert (caught.value.reason, caught.value.code) == (Reason.SWITCHES, errno.EISDIR)


def test_a_switch_that_does_not_take_its_value_ends_the_machine(folder: Path) -> None:
    (folder / "kernel/sysrq").unlink()
    (folder / "kernel/sysrq").symlink_to("/dev/full")
    with pytest.raises(BootError) as caught:
        switches.set_all(SWITCHES, folder)
    assert (caught.value.reason, caught.value.code) == (Reason.SWITCHES, errno.ENOSPC)


def test_the_self_test_is_content_with_what_is_written() -> None:
    """Each row that reads a switch, and nothing else, holds of the value that it is set to."""
    values = switches.switches(Variant.PRODUCTION)
    read = {f"/proc/sys/{name}": f"{value}\n" for name, value in values.items()}
    rows = [row for row in ROWS if set(row.reads) <= read.keys()]
    found: dict[str, Reading] = {**read}
    assert len(rows) >= 7
    assert [row.name for row in rows if not row.holds(*(found[n] for n in row.reads))] == []
    assert Nothing.ABSENT not in found.values()


def test_only_a_research_image_may_be_traced_if_its_command_line_says_so() -> None:
    assert switches.switches(Variant.TEST) == switches.switches(Variant.PRODUCTION)
    more = switches.switches(Variant.PRODUCTION).keys() - switches.switches(Variant.RESEARCH).keys()
    assert more == {"kernel/yama/ptrace_scope"}


def test_modules_are_forbidden_last() -> None:
    assert list(SWITCHES)[-1] == "kernel/modules_disabled"


def test_what_pid_1_keeps_its_children_inherit() -> None:
    def limited() -> list[object]:
        switches.limit_self()
        limits = map(resource.getrlimit, (resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK))
        return [*limits, os.umask(0)]

    try:
        resource.prlimit(0, resource.RLIMIT_MEMLOCK, resource.getrlimit(resource.RLIMIT_MEMLOCK))
        assert in_child(limited) == [[0, 0], [LOCKED_BYTES, LOCKED_BYTES], UMASK]
    except RuntimeError as error:  # an ordinary user may not have as much
        assert os.geteuid() != 0, error
