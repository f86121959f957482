# SPDX-License-Identifier: Apache-2.0
"""What each process of the guest gives up, as one table, and the way in.

`POLICY` says who takes which step, in order; `docs/processes.md` is checked against it. A step that
the kernel refuses ends the process. Those in `WHERE_POSSIBLE` need what not every host grants: init
alone finds out which (`missing`), each in a process that ends at once; the statement and health
repeat its answer, and its children leave out those steps and no others (`without`). Nobody asks a
second time, because a second answer could be another one than is attested.

The zygote takes its steps in two parts, as it must open the model in between (`LATER`); a worker
takes its own on top of what it has from the zygote by being its child.
"""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from guest import cgroups, landlock, limits, namespaces, seccomp, users
from guest.calls import CALLS
from guest.door import Process
from guest.kernel import prctl
from guest.landlock import May, PathRule

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_NO_NEW_PRIVS: Final = 38

_READ: Final = May.READ_FILE
PATHS: Final[Mapping[Process, tuple[PathRule, ...]]] = {
    Process.GATE: (),
    Process.KEYHOLDER: (
        PathRule("/sys/kernel/config/tsm/report/sealroom", May.READ_FILE | May.WRITE_FILE),
        PathRule("/proc/cmdline", _READ),
        PathRule("/proc/swaps", _READ),
    ),
    Process.ZYGOTE: (),
    Process.WORKER: (),
}


class SandboxError(Exception):
    """A step of the sandbox was refused by the kernel."""

    def __init__(self, step: str, number: int) -> None:
        super().__init__(f"sandbox step {step}: errno {number}")
        self.step = step
        self.errno = number


@dataclass(frozen=True, slots=True)
class Place:
    """Who enters, and a folder whose files it may read besides `PATHS`."""

    process: Process
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing given up: its name, what it means, the deed, and how much of it is left to whom."""

    name: str
    describe: str
    apply: Callable[[Place], None]
    left: Callable[[Process], str] = lambda _: "yes"


def _may_open(place: Place) -> None:
    own = (PathRule(place.folder, _READ),) if place.folder is not None else ()
    landlock.restrict_paths(PATHS[place.process] + own)


OWN_NAMESPACES: Final = Step(
    "own-namespaces",
    "an empty network, no queues and no host name of others",
    lambda _: namespaces.leave(),
)
OWN_USER: Final = Step(
    "own-user",
    "a user and group of its own, no others; few processes and threads of it",
    lambda place: users.become(place.process),
    lambda process: str(users.USERS[process].effective),
)
NO_CAPABILITIES: Final = Step(
    "no-capabilities", "none, and none to be had", lambda _: users.drop_capabilities()
)
DIE_WITH_PARENT: Final = Step(
    "die-with-parent",
    "killed when its parent dies",
    lambda _: die_with_parent(),
)
NO_NEW_PRIVILEGES: Final = Step(
    "no-new-privileges", "exec can grant nothing", lambda _: _set(PR_SET_NO_NEW_PRIVS, 1)
)
NOT_DUMPABLE: Final = Step(
    "not-dumpable",
    "no core dump, no ptrace, no /proc/PID/mem by others of the same user",
    lambda _: _set(PR_SET_DUMPABLE, 0),
)
NO_CORE: Final = Step("no-core", "core size limit 0", lambda _: limits.no_core())
NO_FILES: Final = Step("no-files", "file size limit 0", lambda _: limits.no_files())
FEW_DESCRIPTORS: Final = Step(
    "few-descriptors",
    "at most so many",
    lambda place: limits.few_descriptors(place.process),
    lambda process: str(limits.DESCRIPTORS_MAX[process]),
)
BOUNDED_MEMORY: Final = Step(
    "bounded-memory",
    "may grow by so much",
    lambda place: limits.bounded_memory(place.process),
    lambda process: f"{limits.GROWTH_MAX_MIB[process]} MiB",
)
NO_PATHS: Final = Step(
    "no-paths",
    "Landlock: opens, makes and removes nothing but so many paths",
    _may_open,
    lambda process: ", ".join(f"`{rule.path}`" for rule in PATHS[process]) or "none",
)
NO_PORTS: Final = Step(
    "no-ports", "Landlock: binds and connects to no TCP port", lambda _: landlock.restrict_ports()
)
NO_FOREIGN_SIGNALS: Final = Step(
    "no-foreign-signals",
    "Landlock: signals none but its own children",
    lambda _: landlock.restrict_signals(),
)
ONLY_LISTED_CALLS: Final = Step(
    "only-listed-calls",
    "so many system calls, those of `guest/calls.py`",
    lambda place: seccomp.restrict(place.process),
    lambda process: str(len(CALLS[process])),
)

WHERE_POSSIBLE: Final = (OWN_NAMESPACES, OWN_USER, NO_PATHS, NO_PORTS, NO_FOREIGN_SIGNALS)
OWN_CGROUP: Final = "own-cgroup"  # the step that init takes for its children

Policy = Mapping[Process, tuple[Step, ...]]
_IDENTITY: Final = (OWN_USER, NO_CAPABILITIES, DIE_WITH_PARENT, NO_NEW_PRIVILEGES, NOT_DUMPABLE)
_CLOSED: Final = (NO_PATHS, NO_PORTS, NO_FOREIGN_SIGNALS, ONLY_LISTED_CALLS)

# The ids change before death with the parent is asked for, because the kernel forgets that then.
POLICY: Final[Policy] = {
    Process.GATE: (
        *(OWN_NAMESPACES, *_IDENTITY, NO_CORE, NO_FILES, FEW_DESCRIPTORS, BOUNDED_MEMORY),
        *_CLOSED,
    ),
    Process.KEYHOLDER: (
        *(OWN_NAMESPACES, *_IDENTITY, NO_CORE, FEW_DESCRIPTORS, BOUNDED_MEMORY),
        *_CLOSED,
    ),
    Process.ZYGOTE: (
        *(OWN_NAMESPACES, *_IDENTITY, NO_CORE, FEW_DESCRIPTORS),
        *(BOUNDED_MEMORY, *_CLOSED),
    ),
    Process.WORKER: (*_IDENTITY, NO_CORE, NO_FILES, *_CLOSED[:-1], FEW_DESCRIPTORS, _CLOSED[-1]),
}
LATER: Final[Mapping[Process, tuple[Step, ...]]] = {Process.ZYGOTE: (BOUNDED_MEMORY, *_CLOSED)}
# What a worker has by being born of the zygote.
INHERITED: Final = (OWN_NAMESPACES, BOUNDED_MEMORY)


def enter(
    process: Process, parent: int, *, policy: Policy = POLICY, folder: str | None = None
) -> None:
    """Take the steps of a process, less those in `LATER`.

    Args:
        process: who we are.
        parent: the process that must still be alive.
        policy: the steps of each.
        folder: whose files may be read besides `PATHS`.

    Raises:
        SandboxError: the kernel refused a step, or the parent died before its death could be
            noticed.
    """
    later = LATER.get(process, ())
    steps = [step for step in policy[process] if step not in later]
    _take(Place(process, folder), steps, parent)


def finish(process: Process, *, policy: Policy = POLICY) -> None:
    """Take the steps in `LATER`: what had to be opened is open.

    Raises:
        SandboxError: the kernel refused one.
    """
    _take(Place(process), [step for step in policy[process] if step in LATER[process]], None)


def die_with_parent() -> None:
    """Have the kernel end this process when the one that made it ends."""
    _set(PR_SET_PDEATHSIG, signal.SIGKILL)


def without(policy: Policy, lacking: Collection[str]) -> Policy:
    """The policy less the steps that ``lacking`` names; only those in `WHERE_POSSIBLE` can go."""
    left_out = {step for step in WHERE_POSSIBLE if step.name in lacking}
    return {
        process: tuple(step for step in steps if step not in left_out)
        for process, steps in policy.items()
    }


def _take(place: Place, steps: list[Step], parent: int | None) -> None:
    for step in steps:
        try:
            step.apply(place)
        except OSError as error:
            raise SandboxError(step.name, error.errno or 0) from error
        if step is DIE_WITH_PARENT and os.getppid() != parent:
            raise SandboxError(step.name, 0)


@functools.cache
def missing() -> tuple[str, ...]:
    """Names of the steps that cannot be taken on this host as this user, sorted; for init.

    Found out by trying, so it must be asked before anything is given up; remembered afterwards.

    Raises:
        OSError: nothing can be tried, for want of a process.
    """
    lacking = [step.name for step in WHERE_POSSIBLE if not _possible(step)]
    if not cgroups.possible():
        lacking.append(OWN_CGROUP)
    return tuple(sorted(lacking))


def _possible(step: Step) -> bool:
    """Whether a child that tries it, and ends, can."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _set(PR_SET_NO_NEW_PRIVS, 1)
            step.apply(Place(Process.GATE))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return status == 0


def _set(option: int, value: int) -> None:
    prctl(option, value)
