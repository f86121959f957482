# SPDX-License-Identifier: Apache-2.0
"""The probe as it runs in the guest: looks around as root and tells the host, once it is asked to.

It is put into the image by an overlay (`lab.vm.probe`) and started beside PID 1, as no process of
the guest's: it keeps every privilege, so what is refused to it is refused to everybody. It imports
what is in the image and nothing of ours. One JSON object a line: first when the root file system
has been closed, then for every line that the host writes.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

PORT = 5003
POLL_S = 0.02
CLOSED_MAX_S = 600.0
LINE_MAX_BYTES = 256
FILE_MAX_BYTES = 65536

_LIBC = ctypes.CDLL(None, use_errno=True)
_SYSCALLS = {
    "ptrace": 101,
    "modify_ldt": 154,
    "swapon": 167,
    "iopl": 172,
    "ioperm": 173,
    "init_module": 175,
    "kexec_load": 246,
    "unshare": 272,
    "process_vm_readv": 310,
    "finit_module": 313,
    "bpf": 321,
    "userfaultfd": 323,
    "io_uring_setup": 425,
}
_CLONE_NEWUSER = 0x10000000
_PTRACE_ATTACH = 16
_SHELLS = ("sh", "bash", "dash", "busybox", "zsh", "ash")


def call(name: str, *arguments: int | bytes) -> None:
    """A system call; OSError as the kernel says."""
    words = [ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    if _LIBC.syscall(_SYSCALLS[name], *words) < 0:
        raise OSError(ctypes.get_errno(), name)


def _open(path: str, flags: int = os.O_RDONLY) -> None:
    os.close(os.open(path, flags | os.O_CLOEXEC))


def _read(path: str) -> None:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - the image may lack pathlib
        if not file.read(1):
            raise OSError(errno.ENODATA, path)


def _write(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def _mount(kind: bytes) -> None:
    if _LIBC.mount(kind, b"/proc", kind, 0, b""):
        raise OSError(ctypes.get_errno(), "mount")
    _LIBC.umount2(b"/proc", 0)  # what was wrongly allowed must not harm the guest


def _exec_shells() -> None:
    for folder in ("/bin", "/usr/bin", "/sbin", "/usr/sbin"):
        for name in _SHELLS:
            if os.path.exists(f"{folder}/{name}"):  # noqa: PTH110
                return
    raise OSError(errno.ENOENT, "no shell")


def _module_file() -> None:
    fd = os.open("/init", os.O_RDONLY | os.O_CLOEXEC)
    try:
        call("finit_module", fd, b"", 0)
    finally:
        os.close(fd)


ATTEMPTS: dict[str, Callable[[], None]] = {
    "load a module from memory": lambda: call("init_module", b"\x7fELF" + bytes(60), 64, b""),
    "load a module from a file": _module_file,
    "load another kernel": lambda: call("kexec_load", 0, 0, 0, 0),
    "load a BPF program": lambda: call("bpf", 5, bytes(128), 128),
    "set up io_uring": lambda: call("io_uring_setup", 4, bytes(128)),
    "make a user namespace": lambda: call("unshare", _CLONE_NEWUSER),
    "trace PID 1": lambda: call("ptrace", _PTRACE_ATTACH, 1, 0, 0),
    "read another process": lambda: call("process_vm_readv", 1, 0, 0, 0, 0, 0),
    "swap to a disk": lambda: call("swapon", b"/dev/vda", 0),
    "handle page faults": lambda: call("userfaultfd", 0),
    "change a segment of the processor": lambda: call("modify_ldt", 1, bytes(16), 16),
    "use every port": lambda: call("iopl", 3),
    "use some ports": lambda: call("ioperm", 0x70, 2, 1),
    "read physical memory": lambda: _read("/dev/mem"),
    "read the kernel's memory": lambda: _read("/proc/kcore"),
    "use ports as a file": lambda: _open("/dev/port", os.O_RDWR),
    "write model registers": lambda: _open("/dev/cpu/0/msr", os.O_RDWR),
    "mount debugfs": lambda: _mount(b"debugfs"),
    "mount tracefs": lambda: _mount(b"tracefs"),
    "make a file in the root": lambda: os.mkdir("/probe"),  # noqa: PTH102
    "allow modules again": lambda: _write("/proc/sys/kernel/modules_disabled", b"0"),
    "allow dumps": lambda: _write("/proc/sys/kernel/core_pattern", b"core"),
    "lift the lockdown": lambda: _write("/sys/kernel/security/lockdown", b"none"),
    "hibernate": lambda: _write("/sys/power/state", b"disk"),
    "write to the model's disk": lambda: _write("/dev/vda", bytes(512)),
    "start a shell": _exec_shells,
    "open a network socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).close(),
}
"""What must be refused to everybody, by what it would be."""


NOISE = ("/dev/console", "/dev/kmsg", "/dev/ttyS0", "/dev/tty0", "/dev/hvc0")
"""What could come out where the host sees it."""


def noise() -> dict[str, str]:
    """Write a line wherever it could be seen; what came of it, by file."""
    told = {}
    for path in NOISE:
        try:
            _write(path, b"<0>a line of the probe\n")
            told[path] = "written"
        except OSError as error:
            told[path] = errno.errorcode.get(error.errno or 0, str(error.errno))
    return told


def refusals() -> dict[str, str]:
    """For each attempt the name of the errno; "allowed" when it went through."""
    told = {}
    for name, attempt in ATTEMPTS.items():
        try:
            attempt()
            told[name] = "allowed"
        except OSError as error:
            told[name] = errno.errorcode.get(error.errno or 0, str(error.errno))
    return told


def processes() -> list[dict[str, Any]]:
    """Every process with a program, which a thread of the kernel has not."""
    return [each for pid in sorted(_pids()) if (each := _process(pid)) is not None]


def _pids() -> Iterator[int]:
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            yield int(name)


def _process(pid: int) -> dict[str, Any] | None:
    try:
        words = _text(f"/proc/{pid}/cmdline").split("\0")[:-1]
        status = dict(
            line.split(":\t", 1) for line in _lines(f"/proc/{pid}/status") if ":\t" in line
        )
    except OSError:
        return None  # it has ended
    if not words:
        return None
    return {
        "pid": pid,
        "parent": int(status["PPid"]),
        "words": words,
        "uids": [int(uid) for uid in status["Uid"].split()],
        "capabilities": status["CapEff"],
        "seccomp": status.get("Seccomp", ""),
        "no_new_privileges": status.get("NoNewPrivs", ""),
        "probe": pid == os.getpid(),
    }


def executables() -> list[str]:
    """Every file of the root file system that may be run."""
    found = []
    device = os.lstat("/").st_dev
    for folder, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if os.lstat(f"{folder}/{name}").st_dev == device]
        for name in files:
            path = f"{folder.rstrip('/')}/{name}"
            status = os.lstat(path)
            if status.st_mode & 0o111 and status.st_mode & 0o170000 == 0o100000:
                found.append(path)
    return sorted(found)


def look() -> dict[str, Any]:
    """All of it."""
    return {
        "refusals": refusals(),
        "noise": noise(),
        "processes": processes(),
        "executables": executables(),
        "mounts": _lines("/proc/self/mounts"),
        "modules": _lines("/proc/modules") if os.path.exists("/proc/modules") else [],  # noqa: PTH110
        "interfaces": sorted(os.listdir("/sys/class/net")),  # noqa: PTH208
        "disks": sorted(os.listdir("/sys/class/block")),  # noqa: PTH208
        "cmdline": _text("/proc/cmdline"),
        "consoles": _lines("/proc/consoles") if os.path.exists("/proc/consoles") else [],  # noqa: PTH110
        "clock": _text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "memory": _lines("/proc/meminfo"),
        "uptime": _text("/proc/uptime").split()[0],
    }


def _text(path: str) -> str:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read(FILE_MAX_BYTES).decode("utf-8", "replace")


def _lines(path: str) -> list[str]:
    return _text(path).splitlines()


def _closed() -> bool:
    """Whether PID 1 has made the root file system read-only."""
    try:
        mounts = _lines("/proc/self/mounts")
    except OSError:
        return False
    return any(line.split()[1] == "/" and "ro" in line.split()[3].split(",") for line in mounts)


def main() -> None:
    """Wait for PID 1 to close the root, tell, and answer until the host has gone."""
    until = time.monotonic() + CLOSED_MAX_S
    while not _closed() and time.monotonic() < until:
        time.sleep(POLL_S)
    first = look()
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as host:
        host.connect((socket.VMADDR_CID_HOST, PORT))
        host.sendall(json.dumps(first).encode("ascii") + b"\n")
        while host.recv(LINE_MAX_BYTES):
            host.sendall(json.dumps(look()).encode("ascii") + b"\n")


if __name__ == "__main__":
    main()
