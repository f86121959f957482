# SPDX-License-Identifier: Apache-2.0
"""The trust file: the relay a device asks, and all that it believes about guests.

YAML in the one strict spelling of `wire.yamldoc`, closed schema, every field required:

    format: sealroom-trust/1
    relay: https://relay.example
    roots: pinned              # of AMD and Intel; or a list of {line, ark, ask, asvk} and {intel}
    policy: {…}                # a policy of `attest`, written out

There is no line that switches a check off: a policy names what it accepts (design §5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from attest import FormatError, Roots, read_policy
from attest.policy import Policy
from attest.roots import pinned_roots, read_roots
from sealroom.errors import TrustFileError
from sealroom.relay import check_relay
from wire import errors as wire_errors
from wire.yamldoc import load_yaml

FORMAT = "sealroom-trust/1"
TRUST_MAX_BYTES = 256 * 1024
PINNED_ROOTS = "pinned"
_KEYS = ("format", "relay", "roots", "policy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What one device trusts: where to ask, whose signatures count, what a guest must be."""

    relay: str
    roots: Roots
    policy: Policy

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """The trust file at `path`.

        Raises:
            TrustFileError: there is none, or it does not say what it must.
        """
        where = str(path)
        try:
            with Path(path).open("rb") as file:
                data = file.read(TRUST_MAX_BYTES + 1)
        except OSError as error:
            wanted = f"a trust file ({FORMAT}: relay, roots and policy)"
            raise TrustFileError(where, wanted, error.strerror or "an error") from error
        return cls.parse(data, where=where)

    @classmethod
    def parse(cls, data: bytes, *, where: str = "trust file") -> Self:
        """The trust file whose bytes are `data`; `where` names it in errors.

        Raises:
            TrustFileError: it does not say what it must.
        """
        if len(data) > TRUST_MAX_BYTES:
            raise TrustFileError(where, f"at most {TRUST_MAX_BYTES} bytes", "more")
        try:
            fields = load_yaml(data, what="trust file")
        except wire_errors.FormatError as error:
            raise TrustFileError(where, "strict YAML", str(error)) from error
        if not isinstance(fields, Mapping) or sorted(fields) != sorted(_KEYS):
            got = ", ".join(sorted(fields)) if isinstance(fields, Mapping) else "no mapping"
            raise TrustFileError(where, f"the keys {', '.join(_KEYS)}", got)
        if fields["format"] != FORMAT:
            raise TrustFileError(where, f"format {FORMAT}", "another format")
        return cls(
            relay=_relay(fields["relay"], where),
            roots=_roots(fields["roots"], where),
            policy=_policy(fields["policy"], where),
        )


def _relay(value: object, where: str) -> str:
    try:
        return check_relay(value if isinstance(value, str) else "")
    except ValueError as error:
        raise TrustFileError(f"{where}: relay", "a relay", str(error)) from error


def _roots(value: object, where: str) -> Roots:
    if value == PINNED_ROOTS:
        return pinned_roots()
    try:
        return read_roots(value)
    except FormatError as error:
        raise TrustFileError(f"{where}: roots", f"{PINNED_ROOTS} or a list", str(error)) from error


def _policy(value: object, where: str) -> Policy:
    try:
        return read_policy(value)
    except FormatError as error:
        raise TrustFileError(f"{where}: policy", "a complete policy", str(error)) from error
