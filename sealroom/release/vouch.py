# SPDX-License-Identifier: Apache-2.0
"""Who vouches for a manifest: somebody's own copy of it, or a log that witnesses have seen.

A folder whose files are those of the manifest beside them is only one with itself. What a log takes
of a release is its entry: an RFC 8785 JSON object with version and digest of the manifest.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal

from attest.canonical import write_canonical
from attest.closed import Notation, write_record
from attest.findings import Finding, Reason, Refused
from attest.log.policy import LogPolicy
from attest.log.verify import Logged, verify_logged
from attest.scalars import Hex, Text
from sealroom.release.layout import PROOF

_NO_PROOF: Final = Finding(Reason.NOT_LOGGED, f"{PROOF}, or --proof FILE", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """What is logged of a release."""

    version: Annotated[str, Text(32)]
    manifest: Annotated[bytes, Hex(32)]
    format: Literal["sealroom-logged-release/1"] = "sealroom-logged-release/1"


@dataclass(frozen=True, slots=True)
class Vouchers:
    """Who vouches for a manifest.

    Attributes:
        own: whether it is the reader's own copy.
        logged: where it is in a log, if that was asked and holds.
        findings: why a log that was asked does not vouch for it.
    """

    own: bool
    logged: Logged | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def enough(self) -> bool:
        """Whether somebody does, and nobody who was asked does not."""
        return (self.own or self.logged is not None) and not self.findings


def log_entry(version: str, manifest: bytes) -> bytes:
    """The exact bytes that a log takes of a release.

    Args:
        version: of the release.
        manifest: its bytes.
    """
    entry = _Entry(version=version, manifest=hashlib.sha256(manifest).digest())
    return write_canonical(write_record(entry, Notation.JSON))


def ask_log(
    entry: bytes, proof: bytes | None, policy: LogPolicy, *, own: bool, now: datetime
) -> Vouchers:
    """What a log says of a release's entry, beside what its reader knows.

    Args:
        entry: of the release.
        proof: that it is in a log; None if there is none, which is a finding.
        policy: whom to believe about logs.
        own: whether the manifest is the reader's own copy.
        now: of the caller's clock.
    """
    if proof is None:
        return Vouchers(own, None, (_NO_PROOF,))
    try:
        return Vouchers(own, verify_logged(entry, proof, policy, now=now))
    except Refused as refused:
        return Vouchers(own, None, refused.findings)
