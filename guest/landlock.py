# SPDX-License-Identifier: Apache-2.0
"""Landlock (Linux Documentation/userspace-api/landlock.rst): paths, TCP ports, signals.

Three rule sets, each for what one version of the kernel's interface brought, so that a kernel that
lacks one of them lacks that one by name. Rules can only be added: a child has its parent's and its
own.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from guest.kernel import call

SYS_CREATE_RULESET: Final = 444
SYS_ADD_RULE: Final = 445
SYS_RESTRICT_SELF: Final = 446
CREATE_RULESET_VERSION: Final = 1
RULE_PATH_BENEATH: Final = 1

# The rights over files that each version of the interface knows.
FILE_RIGHTS: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
TCP_RIGHTS: Final = 0b11  # bind, connect
SCOPES: Final = 0b11  # abstract unix sockets, signals


class May(IntFlag):
    """Rights of a rule (LANDLOCK_ACCESS_FS_*)."""

    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3


@dataclass(frozen=True, slots=True)
class PathRule:
    """What may be done at a path, and below it if it is a folder."""

    path: str
    may: May


def version() -> int:
    """Of the kernel's Landlock.

    Raises:
        OSError: there is none, or it is switched off.
    """
    return call(SYS_CREATE_RULESET, 0, 0, CREATE_RULESET_VERSION)


def restrict_paths(rules: Sequence[PathRule]) -> None:
    """Open, make, remove and change nothing but what ``rules`` say.

    A path that is not there, or out of this user's reach, needs no rule and stays closed.

    Raises:
        OSError: the kernel has no Landlock, or has no room for another layer.
    """
    known = max(v for v in FILE_RIGHTS if v <= version())
    ruleset = _create(struct.pack("=Q", FILE_RIGHTS[known]))
    try:
        for rule in rules:
            with contextlib.suppress(FileNotFoundError, PermissionError):
                _allow(ruleset, rule)
        call(SYS_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, rule: PathRule) -> None:
    at = os.open(rule.path, os.O_PATH | os.O_CLOEXEC)
    try:
        attribute = struct.pack("=Qi", rule.may, at)
        call(SYS_ADD_RULE, ruleset, RULE_PATH_BENEATH, attribute, 0)
    finally:
        os.close(at)


def restrict_ports() -> None:
    """Bind and connect to no TCP port (Landlock 4)."""
    _enter(struct.pack("=QQ", 0, TCP_RIGHTS))


def restrict_signals() -> None:
    """Signal nobody outside, connect to no abstract unix socket outside (Landlock 6)."""
    _enter(struct.pack("=QQQ", 0, 0, SCOPES))


def _create(attribute: bytes) -> int:
    """A rule set from a struct landlock_ruleset_attr."""
    return call(SYS_CREATE_RULESET, attribute, len(attribute), 0)


def _enter(attribute: bytes) -> None:
    ruleset = _create(attribute)
    try:
        call(SYS_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
