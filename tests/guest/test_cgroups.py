# SPDX-License-Identifier: Apache-2.0
"""Control groups: on a real mount of version 2 where there is one, and what is written of limits.

The controllers `memory` and `pids` may belong to version 1 here; then the two limits were never
enforced by a kernel in these tests, only written.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from guest import cgroups
from guest.cgroups import SHARES, Groups
from guest.door import Process

MOUNTS = Path("/proc/self/mounts")
TOTAL = 8 << 30
CONTROL_FILES = ("memory.max", "memory.swap.max", "pids.max", "cgroup.procs")


@pytest.fixture
def mounted() -> Iterator[Path]:
    """A group of our own on a real version 2 mount."""
    found = [line.split()[1] for line in MOUNTS.read_text().splitlines() if " cgroup2 " in line]
    if not found or not os.access(found[0], os.W_OK):
        pytest.skip("no writable mount of control groups version 2")
    folder = Path(found[0]) / f"sealroom-test-{os.getpid()}"
    folder.mkdir()
    yield folder
    folder.rmdir()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which every new folder has the control files that the kernel makes."""
    made = Path.mkdir

    def mkdir(path: Path) -> None:
        made(path)
        for name in CONTROL_FILES:
            (path / name).touch()

    monkeypatch.setattr(Path, "mkdir", mkdir)
    (tmp_path / "cgroup.subtree_control").touch()
    return tmp_path


def test_each_child_is_put_into_its_group_and_the_groups_are_removed(mounted: Path) -> None:
    groups = Groups(mounted, TOTAL, controllers=())
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    groups.place(Process.GATE, child.pid)
    (group,) = (path for path in mounted.iterdir() if path.name.endswith("-gate"))
    assert (group / "cgroup.procs").read_text().split() == [str(child.pid)]
    child.communicate(b"\n")
    groups.close()
    assert [path for path in mounted.iterdir() if path.is_dir()] == []


def test_a_controller_that_is_not_there_leaves_no_group_behind(mounted: Path) -> None:
    with pytest.raises(OSError, match=r"No such file|Invalid argument"):
        Groups(mounted, TOTAL, controllers=("moon",))
    assert [path for path in mounted.iterdir() if path.is_dir()] == []


def test_the_limits_of_each_group_are_its_share(folder: Path) -> None:
    Groups(folder, TOTAL)
    assert (folder / "cgroup.subtree_control").read_text() == "+memory +pids"
    for process, share in SHARES.items():
        (group,) = folder.glob(f"sealroom-*-{process}")
        assert int((group / "memory.max").read_text()) == TOTAL * share.memory_percent // 100
        assert (group / "memory.swap.max").read_text() == "0"
        assert int((group / "pids.max").read_text()) == share.processes


def test_a_kernel_without_swap_needs_no_limit_of_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "CONTROL_FILES", ("memory.max", "pids.max"))
    Groups(folder, TOTAL)
    for process in SHARES:
        (group,) = folder.glob(f"sealroom-*-{process}")
        assert (group / "memory.max").read_text() != ""
        assert not (group / "memory.swap.max").exists()


def test_control_files_are_never_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Groups(tmp_path, TOTAL)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_is_gone_is_not_placed(mounted: Path) -> None:
    groups = Groups(mounted, TOTAL, controllers=())
    with pytest.raises(ProcessLookupError):
        groups.place(Process.GATE, 2**22 - 1)
    groups.close()


def test_whether_groups_are_possible_is_found_by_making_them(folder: Path) -> None:
    def own() -> Path:
        return folder

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cgroups, "own_group", own)
        groups = cgroups.make()
        assert groups is not None
        assert len(list(folder.glob("sealroom-*"))) == len(SHARES)


def test_without_version_2_there_are_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cgroups, "MOUNT", tmp_path)
    assert cgroups.make() is None
    assert not cgroups.possible()


def test_every_child_of_init_has_a_share() -> None:
    assert set(SHARES) == {Process.GATE, Process.KEYHOLDER, Process.ZYGOTE}
