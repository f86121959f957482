# SPDX-License-Identifier: Apache-2.0
"""The table of file systems, and a real mount in namespaces of its own."""

import errno
import os
from pathlib import Path

import pytest

from guest.boot import mounts
from guest.boot.mounts import BELOW_SYS, DEVICES, PROC, READ_ONLY, SYS, SYS_MOUNT, Flag, Mount
from guest.boot.reasons import BootError, Reason
from guest.kernel import call
from tests.guest.boot.calls import Calls
from tests.guest.rig import in_child

SYS_UNSHARE = 272
NEW_MOUNTS, NEW_USERS = 0x20000, 0x10000000
ALL = (DEVICES, PROC, SYS, *BELOW_SYS)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    made = Calls()
    monkeypatch.setattr(mounts, "call", made)
    return made


def flags_of(calls: Calls) -> list[Flag]:
    return [Flag(int(flags)) for *_, flags, _ in calls.made]


@pytest.mark.parametrize("what", ALL)
def test_nothing_on_any_mount_is_executed_or_gains_rights(what: Mount, calls: Calls) -> None:
    mounts.mount(what)
    ((number, _, target, kind, _, _),) = calls.made
    assert (number, target, kind) == (SYS_MOUNT, what.target.encode(), what.kind.encode())
    (flags,) = flags_of(calls)
    assert Flag.NOSUID | Flag.NOEXEC in flags
    assert Flag.NODEV in flags or what is DEVICES


def test_what_the_guest_writes_to_stays_writable_and_nothing_else(calls: Calls) -> None:
    mounts.close()
    closed = [target for _, _, target, *_ in calls.made]
    left = {what.target for what in ALL} - {what.target for what in READ_ONLY}
    assert left == {"/sys/kernel/config", "/sys/fs/cgroup"}
    assert closed == [*(what.target.encode() for what in READ_ONLY), b"/"]
    assert all(Flag.REMOUNT | Flag.RDONLY | Flag.NOSUID in flags for flags in flags_of(calls))


def test_a_file_system_that_the_kernel_does_not_have_ends_the_machine(calls: Calls) -> None:
    calls.fails[b"configfs"] = errno.ENODEV
    mounts.mount(BELOW_SYS[0])
    with pytest.raises(BootError) as caught:
        mounts.mount(BELOW_SYS[1])
    assert (caught.value.reason, caught.value.code) == (Reason.MOUNTS, errno.ENODEV)


def test_a_real_mount_is_made_and_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    what = Mount("tmpfs", str(tmp_path), options="size=4096")
    monkeypatch.setattr(mounts, "READ_ONLY", (what,))

    def tried() -> list[str]:
        call(SYS_UNSHARE, NEW_MOUNTS | (0 if os.geteuid() == 0 else NEW_USERS))
        mounts.mount(what)
        (tmp_path / "file").touch()
        lines = Path("/proc/self/mounts").read_text().splitlines()
        found = [line.split()[3] for line in lines if str(tmp_path) in line]
        monkeypatch.setattr(mounts, "_ROOT", what.flags | Flag.REMOUNT | Flag.BIND)
        mounts.close()
        try:
            (tmp_path / "another").touch()
        except OSError as error:
            found.append(errno.errorcode[error.errno or 0])
        return found

    found = in_child(tried)
    assert isinstance(found, list)
    assert {"nosuid", "nodev", "noexec"} <= set(found[0].split(","))
    assert found[1:] == ["EROFS"]
