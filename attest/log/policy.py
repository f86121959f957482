# SPDX-License-Identifier: Apache-2.0
"""Whom one believes about a log: logs, witnesses, and how many must agree (C2SP tlog-policy).

``quorum none`` is refused: without witnesses a log could show each reader another tree. So is a
witness with a log's key, which would be the log again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from attest.errors import FormatError, UnsupportedError
from attest.log.keys import KeyType, LogKey, parse_vkey
from attest.log.note import read_decimal

POLICY_MAX_BYTES: Final = 512 * 1024
LINES_MAX: Final = 1000
LOGS_MAX: Final = 64
WITNESSES_MAX: Final = 64
GROUPS_MAX: Final = 64
NONE: Final = "none"

LOG_KEYS: Final = frozenset({KeyType.ED25519, KeyType.COSIGNATURE_ML_DSA_44})
WITNESS_KEYS: Final = frozenset({KeyType.COSIGNATURE_ED25519, KeyType.COSIGNATURE_ML_DSA_44})

_WHAT: Final = "log policy"
_OCTETS: Final = frozenset(b"\t\n") | frozenset(range(0x20, 0x7F)) | frozenset(range(0x80, 0x100))


@dataclass(frozen=True, slots=True)
class Witness:
    """One witness, by its name in the policy."""

    name: str
    key: LogKey

    def seen(self, cosigned: AbstractSet[LogKey]) -> bool:
        """Whether it is among those that cosigned."""
        return self.key in cosigned


@dataclass(frozen=True, slots=True)
class Group:
    """Some witnesses or groups, of which ``least`` must have seen a checkpoint."""

    name: str
    least: int
    members: tuple[Witness | Group, ...]

    def seen(self, cosigned: AbstractSet[LogKey]) -> bool:
        """Whether enough of them are among those that cosigned."""
        return sum(member.seen(cosigned) for member in self.members) >= self.least


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """The logs that are accepted, every witness that is known, and what must have cosigned."""

    logs: tuple[LogKey, ...]
    witnesses: tuple[Witness, ...]
    quorum: Witness | Group


def parse_log_policy(data: bytes) -> LogPolicy:
    """Read a policy file.

    Raises:
        UnsupportedError: it asks for no witness.
        FormatError: not a policy, over a limit, or one that names no log.
    """
    if len(data) > POLICY_MAX_BYTES:
        raise FormatError(_WHAT, None, f"wanted at most {POLICY_MAX_BYTES} bytes, got {len(data)}")
    if foreign := set(data) - _OCTETS:
        raise FormatError(_WHAT, data.index(min(foreign)), "wanted no control characters")
    lines = data.split(b"\n")
    if lines.pop() or len(lines) > LINES_MAX:
        raise FormatError(_WHAT, None, f"wanted up to {LINES_MAX} lines, each with its newline")
    draft = _Draft()
    for number, line in enumerate(lines, 1):
        # Octets above ASCII are opaque, so that a name is what is written, and nothing like it.
        words = [word.decode("latin-1") for word in line.split()]
        if words and not words[0].startswith("#"):
            try:
                draft.take(words)
            except UnsupportedError:
                raise
            except (FormatError, ValueError) as error:
                raise FormatError(_WHAT, None, f"line {number}: {error}") from error
    return draft.end()


@dataclass(slots=True)
class _Draft:
    """What was read so far."""

    logs: list[LogKey] = field(default_factory=list)
    named: dict[str, Witness | Group] = field(default_factory=dict)
    grouped: set[str] = field(default_factory=set)
    quorum: Witness | Group | None = None

    def take(self, words: Sequence[str]) -> None:
        rows: dict[str, tuple[Callable[..., None], int, int]] = {
            "log": (self.log, 1, 2),
            "witness": (self.witness, 2, 3),
            "group": (self.group, 3, 2 + WITNESSES_MAX + GROUPS_MAX),
            "quorum": (self.end_with, 1, 1),
        }
        kind, *arguments = words
        if kind not in rows:
            raise ValueError(f"wanted {', '.join(rows)} or a comment")
        read, least, most = rows[kind]
        if not least <= len(arguments) <= most:
            raise ValueError(f"{kind}: wanted {least} to {most} words, got {len(arguments)}")
        read(*arguments)

    def log(self, vkey: str, _url: str = "") -> None:
        self.logs.append(self.key(vkey, LOG_KEYS))
        if len(self.logs) > LOGS_MAX:
            raise ValueError(f"wanted at most {LOGS_MAX} logs")

    def witness(self, name: str, vkey: str, _url: str = "") -> None:
        self.define(Witness(name, self.key(vkey, WITNESS_KEYS)), WITNESSES_MAX)

    def group(self, name: str, least: str, *names: str) -> None:
        again = self.grouped.intersection(names)
        if again or len(set(names)) != len(names):
            raise ValueError("wanted each name in one group, once")
        members = tuple(self.find(member) for member in names)
        number = {"any": 1, "all": len(members)}.get(least) or read_decimal(least)
        if not 1 <= number <= len(members):
            raise ValueError(f"wanted 1 to {len(members)} of them, got {number}")
        self.define(Group(name, number, members), GROUPS_MAX)
        self.grouped.update(names)

    def end_with(self, name: str) -> None:
        if self.quorum is not None:
            raise ValueError("wanted one quorum, got another")
        if name == NONE:
            raise UnsupportedError(_WHAT, None, "quorum: wanted a witness or a group, got none")
        self.quorum = self.find(name)

    def key(self, vkey: str, types: AbstractSet[KeyType]) -> LogKey:
        key = parse_vkey(vkey.encode("latin-1").decode("utf-8"))
        if key.type not in types:
            raise ValueError(f"wanted a key of type {' or '.join(map(str, sorted(types)))}")
        witnesses = (item.key for item in self.named.values() if isinstance(item, Witness))
        if any(key.public_key == other.public_key for other in (*self.logs, *witnesses)):
            raise ValueError(f"{key.name}: wanted each key once")
        return key

    def define(self, item: Witness | Group, most: int) -> None:
        if item.name == NONE or item.name in self.named:
            raise ValueError(f"{item.name}: wanted a name of its own")
        self.named[item.name] = item
        if sum(isinstance(other, type(item)) for other in self.named.values()) > most:
            raise ValueError(f"wanted at most {most} of them")

    def find(self, name: str) -> Witness | Group:
        if name not in self.named:
            raise ValueError(f"{name}: wanted a witness or group of a line above")
        return self.named[name]

    def end(self) -> LogPolicy:
        if self.quorum is None or not self.logs:
            raise FormatError(_WHAT, None, "wanted a log and a quorum")
        witnesses = tuple(item for item in self.named.values() if isinstance(item, Witness))
        return LogPolicy(tuple(self.logs), witnesses, self.quorum)
