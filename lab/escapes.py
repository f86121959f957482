# SPDX-License-Identifier: Apache-2.0
"""What somebody who owns a process of the guest would try next, one system call each.

`ATTEMPTS` is the table; an attempt answers with the error number, or 0 when the kernel did it. Run
it inside a sandbox, and outside for comparison: outside it gives ``outside`` (or ENOSYS where the
kernel is built without it), so an EPERM or EACCES inside comes from the sandbox. Whoever is not
root is refused some calls anyway; there is nothing to compare then (``by_root``).

Outside, run it in a process that may be thrown away: an attempt that succeeds changes the process.
Everything it needs is loaded when this file is imported, as a sandboxed process can load nothing.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import signal
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

AT_FDCWD: Final = -100
ANY: Final = -1 & 0xFFFFFFFFFFFFFFFF
BAD: Final = 1  # no address: EFAULT where the kernel reads from it

CLONE_VM, CLONE_VFORK, CLONE_PARENT = 0x100, 0x4000, 0x8000
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
_VFORK_CODE: Final = bytes.fromhex(
    "b83a000000"  # mov eax, 58
    "0f05"  # syscall
    "85c0"  # test eax, eax
    "7509"  # jnz the ret: the parent, or an error
    "31ff"  # xor edi, edi
    "b83c000000"  # mov eax, 60
    "0f05"  # syscall: the child ends before it touches the stack it shares
    "c3"  # ret
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One thing to try.

    Attributes:
        name: of the call, and what of it.
        run: tries it and returns the error number, 0 for success.
        outside: what it gives without a sandbox, never EPERM or EACCES.
        by_root: without a sandbox, only root gets that.
    """

    name: str
    run: Callable[[], int]
    outside: int = 0
    by_root: bool = False


_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _system(number: int, *arguments: int | bytes) -> int:
    """The result of a system call, or the negative error number."""
    words = [ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    result: int = _libc.syscall(ctypes.c_long(number), *words)
    return -ctypes.get_errno() if result == -1 else result


def _parent() -> int:
    """The parent, or init when that may not be asked for."""
    return max(1, os.getppid())


def _call(
    name: str, number: int, *arguments: int | bytes, outside: int = 0, by_root: bool = False
) -> Attempt:
    return Attempt(
        name,
        lambda: max(0, -_system(number, *arguments)),
        outside,
        by_root,
    )


def _child(name: str, start: Callable[[], int]) -> Attempt:
    """An attempt to make a process; one that comes to be ends at once and is collected."""

    def run() -> int:
        pid = start()
        if pid == 0:
            os._exit(0)
        if pid > 0:
            _system(61, pid, 0, 0, 0)  # wait4; a child of our parent is not ours to collect
        return max(0, -pid)

    return Attempt(name, run)


_page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
_page.write(_VFORK_CODE)
_vfork = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(_page)))


def _parent_memory(number: int) -> Callable[[], int]:
    """process_vm_readv or _writev of no byte of the parent."""
    return lambda: max(0, -_system(number, _parent(), 0, 0, 0, 0, 0))


def _file(path: bytes, flags: int, mode: int = 0) -> Callable[[], int]:
    """Open a path; what opens is closed again, and a file that is made is removed."""

    def run() -> int:
        fd = _system(257, AT_FDCWD, path, flags, mode)
        if fd >= 0:
            os.close(fd)
            if flags & os.O_CREAT:
                _system(87, path)
        return max(0, -fd)

    return run


def _folder(path: bytes) -> int:
    """Make a folder; one that is made is removed."""
    result = _system(83, path, 0o700)
    if result == 0:
        _system(84, path)
    return max(0, -result)


def _parents_file(name: str, flags: int) -> Callable[[], int]:
    def run() -> int:
        return _file(f"/proc/{_parent()}/{name}".encode(), flags)()

    return run


def _made(name: str, number: int, *arguments: int | bytes, by_root: bool = False) -> Attempt:
    """An attempt whose success is a descriptor, which is closed again."""

    def run() -> int:
        fd = _system(number, *arguments)
        if fd > 2:
            os.close(fd)
        return max(0, -fd)

    return Attempt(name, run, by_root=by_root)


_NEW_FILE: Final = b"/tmp/sealroom-escaped-file"
_NEW_FOLDER: Final = b"/tmp/sealroom-escaped-folder"
_KEY: Final = b"user"
_LIMIT: Final = struct.pack("=QQ", 1 << 20, 1 << 20)

NETWORK: Final = (
    _made("socket: IPv4", 41, 2, 1, 0),
    _made("socket: IPv6", 41, 10, 1, 0),
    _made("socket: unix", 41, 1, 1, 0),
    _made("socket: netlink", 41, 16, 3, 0),
    _made("socket: vsock", 41, 40, 1, 0),
    _made("socket: packet", 41, 17, 3, 0, by_root=True),
    _call("socketpair", 53, 1, 1, 0, bytes(8)),
    _call("connect", 42, 0, bytes(16), 16, outside=errno.ENOTSOCK),
    _call("bind", 49, 0, bytes(16), 16, outside=errno.ENOTSOCK),
    _call("listen", 50, 0, 1, outside=errno.ENOTSOCK),
    _call("accept", 43, 0, 0, 0, outside=errno.ENOTSOCK),
    _call("accept4", 288, 0, 0, 0, 0, outside=errno.ENOTSOCK),
    _call("setsockopt", 54, 0, 1, 2, bytes(4), 4, outside=errno.ENOTSOCK),
)
FILES: Final = (
    Attempt("open: read /etc/passwd", _file(b"/etc/passwd", os.O_RDONLY)),
    Attempt("open: write /dev/null", _file(b"/dev/null", os.O_WRONLY)),
    Attempt("open: create a file", _file(_NEW_FILE, os.O_CREAT | os.O_WRONLY, 0o600)),
    Attempt("open: list /", _file(b"/", os.O_RDONLY | os.O_DIRECTORY)),
    Attempt("open: a nameless file", _file(b"/tmp", os.O_TMPFILE | os.O_RDWR, 0o600)),
    Attempt("open: own memory", _file(b"/proc/self/mem", os.O_RDWR), by_root=True),
    Attempt("open: parent's memory", _parents_file("mem", os.O_RDONLY), by_root=True),
    Attempt("open: parent's environment", _parents_file("environ", os.O_RDONLY), by_root=True),
    _made("open: by the old call", 2, b"/etc/passwd", os.O_RDONLY, 0),
    _made("openat2", 437, AT_FDCWD, b"/etc/passwd", bytes(24), 24),
    _call("open_by_handle_at", 304, AT_FDCWD, BAD, 0, outside=errno.EFAULT, by_root=True),
    _call("stat", 4, b"/etc/passwd", bytes(256)),
    _call("readlink", 89, b"/proc/self/exe", bytes(64), 64),
    Attempt("mkdir", lambda: _folder(_NEW_FOLDER)),
    _call("rmdir", 84, b"/usr", outside=errno.ENOTEMPTY, by_root=True),
    _call("unlink", 87, b"/nonexistent", outside=errno.ENOENT),
    _call("rename", 82, b"/nonexistent", b"/nonexistent2", outside=errno.ENOENT),
    _call("link", 86, b"/nonexistent", b"/nonexistent2", outside=errno.ENOENT),
    _call("chmod", 90, b"/nonexistent", 0o777, outside=errno.ENOENT),
    _call("chown", 92, b"/nonexistent", 0, 0, outside=errno.ENOENT),
    _call("truncate", 76, b"/nonexistent", 0, outside=errno.ENOENT),
    _call("mknod", 133, b"/nonexistent/x", 0o010600, 0, outside=errno.ENOENT),
    _call("chdir", 80, b"/"),
    _call("chroot", 161, b"/", by_root=True),
    _made("memfd_create", 319, b"x", 1),
    _made("inotify_init1", 294, 0),
    _call("fsetxattr", 190, 0, b"user.x", b"", 0, 9, outside=errno.EINVAL),
)
PROCESSES: Final = (
    _call("execve", 59, b"", 0, 0, outside=errno.ENOENT),
    _call("execveat", 322, AT_FDCWD, b"", 0, 0, 0, outside=errno.ENOENT),
    _child("fork", lambda: _system(57)),
    _child("vfork", lambda: -ctypes.get_errno() if _vfork() < 0 else 1),
    _child("clone: a process", lambda: _system(56, signal.SIGCHLD, 0, 0, 0, 0)),
    _child("clone: a brother", lambda: _system(56, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)),
    _child("clone: suspended", lambda: _system(56, CLONE_VFORK | signal.SIGCHLD, 0, 0, 0, 0)),
    _child("clone: without a word", lambda: _system(56, 0, 0, 0, 0, 0)),
    _call("clone3", 435, 0, 0, outside=errno.EINVAL),
    _call("ptrace: TRACEME", 101, 0, 0, 0, 0),
    Attempt(
        "ptrace: seize the parent",
        lambda: max(0, -_system(101, 0x4206, _parent(), 0, 0)),
        by_root=True,
    ),
    Attempt("process_vm_readv", _parent_memory(310)),
    Attempt("process_vm_writev", _parent_memory(311)),
    Attempt("kill: the parent", lambda: max(0, -_system(62, _parent(), 0))),
    _call("kill: everybody", 62, -1 & 0xFFFFFFFF, 0),
    Attempt("tkill: the parent", lambda: max(0, -_system(200, _parent(), 0))),
    Attempt("tgkill: the parent", lambda: max(0, -_system(234, _parent(), _parent(), 0))),
    Attempt("pidfd_open: the parent", lambda: max(0, -_pidfd_of_parent())),
    _call("pidfd_getfd", 438, 0, 0, 0, outside=errno.EBADF),
    _call("pidfd_send_signal", 424, 0, 9, 0, 0, outside=errno.EBADF),
    _call("setsid", 112),
    _call("setpgid", 109, 0, 0),
    _call("setpriority", 141, 0, 0, 19),
    Attempt(
        "prlimit: of the parent",
        lambda: max(0, -_system(302, _parent(), 7, 0, bytes(16))),
    ),
    Attempt("kcmp", lambda: max(0, -_system(312, os.getpid(), os.getpid(), 0, 0, 0))),
)


def _pidfd_of_parent() -> int:
    fd = _system(434, _parent(), 0)
    if fd > 2:
        os.close(fd)
    return fd


PRIVILEGES: Final = (
    _call("setuid: root", 105, 0, by_root=True),
    _call("setresuid: root", 117, 0, 0, 0, by_root=True),
    _call("setresgid: root", 119, 0, 0, 0, by_root=True),
    _call("setgroups", 116, 0, 0, by_root=True),
    _call("setfsuid", 122, 0),
    _call("capset", 126, BAD, 0, outside=errno.EFAULT),
    _call("prctl: dumpable", 157, 4, 1, 0, 0, 0),
    _call("prctl: outlive the parent", 157, 1, 0, 0, 0, 0),
    _call("prctl: keep capabilities", 157, 8, 1, 0, 0, 0),
    _call("prctl: another tracer", 157, 0x59616D61, ANY, 0, 0, 0, outside=errno.EINVAL),
    _call("setrlimit: a core dump", 160, 4, _LIMIT),
    _call("prlimit64: a core dump", 302, 0, 4, _LIMIT, 0),
    _call("prlimit64: descriptors", 302, 0, 7, struct.pack("=QQ", 512, 512), 0),
    _call("personality", 135, 0xFFFFFFFF),
    _call("seccomp", 317, 2, 0, 0, outside=errno.EFAULT),
    _call("unshare: user", 272, CLONE_NEWUSER),
    _call("unshare: network", 272, CLONE_NEWNET, by_root=True),
    _call("setns", 308, 0, 0, outside=errno.EINVAL),
    _call("umask", 95, 0),
)
KERNEL: Final = (
    _call("io_uring_setup", 425, 1, BAD, outside=errno.EFAULT),
    _call("io_uring_enter", 426, 0, 0, 0, 0, 0, 0, outside=errno.EOPNOTSUPP),
    _made("userfaultfd", 323, 1),
    _call("bpf", 321, 0, BAD, 72, outside=errno.EFAULT),
    _call("perf_event_open", 298, BAD, 0, -1 & 0xFFFFFFFF, 0, 0, outside=errno.EFAULT),
    _call("add_key", 248, _KEY, b"sealroom", b"x", 1, ANY - 1),
    _call("request_key", 249, BAD, b"", 0, 0, outside=errno.EFAULT),
    _call("keyctl", 250, 0, ANY - 2, 1, 0, 0),
    _call("mount", 165, 0, b"/", BAD, 0, 0, outside=errno.EFAULT),
    _call("umount2", 166, b"/nonexistent", 0, outside=errno.ENOENT, by_root=True),
    _call("pivot_root", 155, b"/nonexistent", b"/", outside=errno.ENOENT, by_root=True),
    _made("fsopen", 430, b"tmpfs", 0, by_root=True),
    _made("open_tree", 428, AT_FDCWD, b"/", 0),
    _call("kexec_load", 246, 0, 0, 0, ANY, outside=errno.EINVAL, by_root=True),
    _call("init_module", 175, BAD, 0, b"", outside=errno.ENOEXEC, by_root=True),
    _call("reboot", 169, 0, 0, 0, 0, outside=errno.EINVAL, by_root=True),
    _call("swapon", 167, b"/nonexistent", 0, outside=errno.ENOENT, by_root=True),
    _call("clock_settime", 227, 0, BAD, outside=errno.EFAULT),
    _call("sethostname", 170, BAD, 1, outside=errno.EFAULT, by_root=True),
    _call("iopl", 172, 0),
    _call("modify_ldt", 154, 0, bytes(16), 16),
    _call("shmget", 29, 0, 4096, 0o600),
    _call("msgget", 68, 0, 0o600),
    _call("semget", 64, 0, 1, 0o600),
    _call("ioctl: type into the terminal", 16, 0, 0x5412, BAD, outside=errno.ENOTTY),
    _call("vmsplice", 278, 0, 0, 0, 0),
    _call("splice", 275, 0, 0, 0, 0, 0, 0),
    _call("remap_file_pages", 216, 0, 0, 0, 0, 0, outside=errno.EINVAL),
    _call("move_pages", 279, 0, 0, 0, 0, 0, 0),
    _call("syslog", 103, 10, 0, 0, by_root=True),
)

ATTEMPTS: Final[tuple[Attempt, ...]] = NETWORK + FILES + PROCESSES + PRIVILEGES + KERNEL
