# SPDX-License-Identifier: Apache-2.0
"""Attacks by code that owns a worker: every system call by which it could leave its room.

The attempts are those of `lab.escapes`. They run inside a real worker of a guest whose engine is
the attacker (`lab.attack.programs.escaping`), behind the real sandbox.
"""

from __future__ import annotations

from typing import Final

from lab import escapes
from lab.attack.programs.escaping import DENIED
from lab.attack.site import LabSite
from sealroom.attack.attack import Attack, Needs, UnclearError, Verdict, refused, succeeded
from sealroom.attack.target import ask

PROGRAMS: Final = {"zygote": "lab.attack.programs.escaping"}
LIMIT_S: Final = 120.0  # a guest is started for the first of them

GROUPS: Final = (
    (
        "escape-to-the-network",
        "TOB-WAPI-13; CWE-693",
        "open, connect and serve sockets of every kind",
        escapes.NETWORK,
    ),
    (
        "escape-to-files",
        "CWE-552",
        "open, make, change and remove files, and read memory of other processes as files",
        escapes.FILES,
    ),
    (
        "escape-to-processes",
        "CWE-250; CWE-272",
        "run and fork programs, trace, signal and read other processes",
        escapes.PROCESSES,
    ),
    (
        "escape-to-privileges",
        "CWE-269",
        "become another user, be dumped, raise limits, enter namespaces",
        escapes.PRIVILEGES,
    ),
    (
        "escape-to-the-kernel",
        "CVE-2022-29582 (io_uring), CVE-2016-0728 (keyctl); CWE-1188",
        "io_uring, userfaultfd, bpf, keys, mounts, modules and what else is rarely needed",
        escapes.KERNEL,
    ),
)


async def _letters(site: LabSite) -> str:
    """What came of all attempts.

    Raises:
        UnclearError: the worker did not answer with a letter for each.
    """
    house = await site.shared("escaping", programs=PROGRAMS)
    text = (await ask(house.target)).text
    if len(text) != len(escapes.ATTEMPTS):
        raise UnclearError(f"wanted {len(escapes.ATTEMPTS)} letters, got {len(text)}")
    return text


async def escape(site: LabSite, attempts: tuple[escapes.Attempt, ...]) -> Verdict:
    """Whether any attempt of a group is not denied."""
    letters = dict(zip(escapes.ATTEMPTS, await _letters(site), strict=True))
    done = [one.name for one in attempts if letters[one] != DENIED]
    if done:
        return succeeded(f"{len(done)} of {len(attempts)}: {', '.join(done)}")
    return refused(f"{len(attempts)} attempts, each denied by the kernel")


def _row(
    name: str, reference: str, tries: str, attempts: tuple[escapes.Attempt, ...]
) -> Attack[LabSite]:
    async def run(site: LabSite) -> Verdict:
        return await escape(site, attempts)

    defence = "the worker's sandbox: guest.sandbox, guest.seccomp"
    return Attack(name, reference, tries, defence, run, LIMIT_S, Needs.LAB)


ATTACKS: Final = tuple(_row(*group) for group in GROUPS)
