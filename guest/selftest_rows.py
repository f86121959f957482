# SPDX-License-Identifier: Apache-2.0
"""The table of the start self-test: what must hold of the kernel and of this process.

A row has a name, what it reads (`guest.readings`) and when that is good. Nothing is read here, and
what could not be read is not good. "Absent is fine" is for what a kernel can be built without: then
there is nothing to switch off. It means something only where ``/proc`` and ``/sys`` are the
kernel's and the kernel is recent, so these are rows too. The rows read single words of the kernel
command line; that the whole of it is the measured one is for PID 1 to compare.

No row, and nothing after it, takes a security decision by a clock: a wrong wall clock is a sign of
a host that plays with it, no more. Clients judge by their own time, keys live by the monotonic one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from guest.environment import ENVIRONMENT
from guest.readings import Nothing, Reading

KERNEL_AT_LEAST: Final = (6, 7)  # the first with configfs-tsm; io_uring_disabled is of 6.6
PROC_MAGIC: Final = "0x9fa0"  # include/uapi/linux/magic.h, as the next two
SYSFS_MAGIC: Final = "0x62656572"
CONFIGFS_MAGIC: Final = "0x62656570"
RELEASED_S: Final = 1793491200  # 2026-11-01; no clock of a guest of this release is before it
CLOCK_MAX_S: Final = RELEASED_S + 10 * 366 * 86400
LOCKED_MIN_BYTES: Final = 65536  # what `guest.secretmem` may lock
NUMBER_MAX_DIGITS: Final = 20
CLOCK_STEP_MAX_NS: Final = 60_000_000_000  # a busy host may let us sleep long
OFF: Final = frozenset({"0", "n", "off"})  # as kstrtobool reads them

PROVIDERS: Final = ("sev_guest", "tdx_guest")
CMDLINE: Final = "/proc/cmdline"
CONFIG: Final = "/proc/config.gz"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that must hold.

    Attributes:
        name: of what is lacking when it does not hold; in statements, so it never changes.
        why: what it keeps out, for people.
        reads: paths and probes, in the order in which `holds` takes them.
        holds: whether these readings are good.
    """

    name: str
    why: str
    reads: tuple[str, ...]
    holds: Callable[..., bool]


def _text(good: Callable[[str], bool], *, absent: bool = False) -> Callable[[Reading], bool]:
    """Good text without its newline; ``absent`` when a kernel without the file is fine too."""

    def holds(reading: Reading) -> bool:
        if isinstance(reading, Nothing):
            return absent and reading is Nothing.ABSENT
        return good(reading.removesuffix("\n"))

    return holds


def _is(*texts: str, absent: bool = False) -> Callable[[Reading], bool]:
    return _text(lambda text: text in texts, absent=absent)


def word(cmdline: str, name: str) -> str | None:
    """The value of a switch on the kernel command line; the last one counts."""
    values = [w.removeprefix(f"{name}=") for w in cmdline.split() if w.startswith(f"{name}=")]
    return values[-1] if values else None


def _switched_on(name: str, option: str) -> Callable[[Reading, Reading], bool]:
    """On by the command line, or built in as the default that the command line leaves alone."""

    def holds(cmdline: Reading, config: Reading) -> bool:
        if isinstance(cmdline, Nothing):
            return False
        said = word(cmdline, name)
        built_in = isinstance(config, str) and f"CONFIG_{option}=y" in config.splitlines()
        return built_in if said is None else said == "1"

    return holds


def _recent(text: str) -> bool:
    numbers = text.split("-", maxsplit=1)[0].split(".")[:2]
    if len(numbers) != 2 or not all(map(_is_digits, numbers)):
        return False
    return (int(numbers[0]), int(numbers[1])) >= KERNEL_AT_LEAST


def _has_instructions(cpuinfo: str) -> bool:
    flags = [line.split() for line in cpuinfo.splitlines() if line.startswith("flags")]
    return bool(flags) and all({"rdrand", "rdseed"} <= set(words) for words in flags)


def _number(good: Callable[[int], bool]) -> Callable[[Reading], bool]:
    return _text(lambda text: _is_digits(text) and good(int(text)))


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= NUMBER_MAX_DIGITS


def _is_literal(environ: str) -> bool:
    """Exactly `ENVIRONMENT`, in whatever order; nothing twice."""
    return sorted(environ.split("\0")) == sorted(
        ["", *(f"{k}={v}" for k, v in ENVIRONMENT.items())]
    )


def _can_lock(limits: str) -> bool:
    soft = limits.partition(" ")[0]
    return soft == "-1" or (_is_digits(soft) and int(soft) >= LOCKED_MIN_BYTES)


OF_THE_KERNEL: Final = (
    Row(
        "proc-mounted",
        "another /proc could say anything",
        ("file system of /proc",),
        _is(PROC_MAGIC),
    ),
    Row(
        "sys-mounted", "another /sys could say anything", ("file system of /sys",), _is(SYSFS_MAGIC)
    ),
    Row(
        "kernel-version",
        "an older kernel has no configfs-tsm and other switches",
        ("/proc/sys/kernel/osrelease",),
        _text(_recent),
    ),
    Row(
        "swap-off",
        "pages of a request on a disk",
        ("/proc/swaps",),
        _text(lambda text: len(text.splitlines()) == 1, absent=True),
    ),
    Row(
        "core-pattern",
        "a pipe gets a crashed process's memory whatever its limit is",
        ("/proc/sys/kernel/core_pattern",),
        _text(lambda text: text[:1] not in ("|", "@"), absent=True),
    ),
    Row(
        "suid-dumpable-off",
        "a dump of a process that changed its user",
        ("/proc/sys/fs/suid_dumpable",),
        _is("0"),
    ),
    Row(
        "ptrace-scope",
        "a process that traces another of its user",
        ("/proc/sys/kernel/yama/ptrace_scope",),
        _is("1", "2", "3"),
    ),
    Row(
        "kexec-off",
        "another kernel over live memory",
        ("/proc/sys/kernel/kexec_load_disabled",),
        _is("1", absent=True),
    ),
    Row(
        "crash-kernel-off",
        "a kernel that writes all memory down after a crash",
        ("/sys/kernel/kexec_crash_loaded",),
        _is("0", absent=True),
    ),
    Row(
        "hibernation-off",
        "all memory on a disk",
        ("/sys/power/state",),
        _text(lambda text: "disk" not in text.split(), absent=True),
    ),
    Row(
        "lockdown",
        "root that reads the kernel's or a process's memory",
        ("/sys/kernel/security/lockdown",),
        _text(lambda text: "[confidentiality]" in text.split()),
    ),
    Row(
        "modules-off",
        "code loaded into the kernel after the start",
        ("/proc/sys/kernel/modules_disabled",),
        _is("1", absent=True),
    ),
    Row(
        "sysrq-off",
        "keys on a console that dump memory",
        ("/proc/sys/kernel/sysrq",),
        _is("0", absent=True),
    ),
    Row(
        "userfaultfd-off",
        "a process that stops the kernel in mid-copy",
        ("/proc/sys/vm/unprivileged_userfaultfd",),
        _is("0", absent=True),
    ),
    Row(
        "io-uring-off",
        "system calls past the filter",
        ("/proc/sys/kernel/io_uring_disabled",),
        _is("2", absent=True),
    ),
    Row(
        "page-merging-off",
        "equal pages of two processes, told apart by time",
        ("/sys/kernel/mm/ksm/run",),
        _is("0", absent=True),
    ),
    Row(
        "init-on-free",
        "what a process leaves in freed memory",
        (CMDLINE, CONFIG),
        _switched_on("init_on_free", "INIT_ON_FREE_DEFAULT_ON"),
    ),
    Row(
        "init-on-alloc",
        "what an earlier owner left in a page",
        (CMDLINE, CONFIG),
        _switched_on("init_on_alloc", "INIT_ON_ALLOC_DEFAULT_ON"),
    ),
    Row(
        "random-ready",
        "keys drawn before there was entropy",
        ("random number generator",),
        _is("ready"),
    ),
    Row(
        "random-instructions",
        "a processor without a source of its own",
        ("/proc/cpuinfo",),
        _text(_has_instructions),
    ),
    Row(
        "random-trusts-processor",
        "a generator that waits for the host's timing instead",
        (CMDLINE,),
        _text(lambda text: word(text, "random.trust_cpu") not in OFF),
    ),
    Row(
        "random-distrusts-host",
        "a seed that the host's firmware chose",
        (CMDLINE,),
        _text(lambda text: word(text, "random.trust_bootloader") in OFF),
    ),
    Row(
        "clock-source",
        "a monotonic clock that the host moves",
        ("clock source",),
        _is("tsc"),
    ),
    Row(
        "clock-monotonic",
        "a clock that stands, so that keys never end",
        ("monotonic clock, ns",),
        _number(lambda ns: 0 < ns < CLOCK_STEP_MAX_NS),
    ),
    Row(
        "clock-plausible",
        "a host that starts its guests in another year",
        ("wall clock, s",),
        _number(lambda s: RELEASED_S <= s < CLOCK_MAX_S),
    ),
    Row(
        "configfs-mounted",
        "a folder that looks like the kernel's",
        ("file system of /sys/kernel/config",),
        _is(CONFIGFS_MAGIC),
    ),
    Row(
        "tsm-provider",
        "no hardware that vouches, or one that is not known",
        ("configfs-tsm",),
        _text(lambda text: text.partition(" ")[0] in PROVIDERS),
    ),
    Row(
        "tsm-privilege-level",
        "somebody at a higher level in the same guest",
        ("configfs-tsm",),
        _is("sev_guest 0", "tdx_guest"),
    ),
)
"""What only the kernel says; the same for every process on a host."""

OF_THIS_PROCESS: Final = (
    Row(
        "environment-literal",
        "a variable that steers a library",
        ("/proc/self/environ",),
        _text(_is_literal),
    ),
    Row(
        "no-arguments",
        "words of the kernel command line that were meant for somebody else",
        ("arguments",),
        _is("0"),
    ),
    Row(
        "python-isolated",
        "modules from the working directory or from variables",
        ("python",),
        _text(lambda text: "isolated=1" in text.split()),
    ),
    Row(
        "python-without-site",
        ".pth files and sitecustomize, which are code",
        ("python",),
        _text(lambda text: {"no_site=1", "site=0"} <= set(text.split())),
    ),
    Row("no-core-limit", "a core dump of init itself", ("core size limit",), _is("0 0")),
    Row(
        "memory-lock",
        "keys in pages that may be swapped",
        ("locked memory limit",),
        _text(_can_lock),
    ),
)
"""What holds of the process that runs the test, init, and is inherited from it."""

ROWS: Final = (*OF_THE_KERNEL, *OF_THIS_PROCESS)
