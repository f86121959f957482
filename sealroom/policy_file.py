# SPDX-License-Identifier: Apache-2.0
"""Policies and roots in files of their own, for who judges evidence without asking a relay.

A policy file is one of the three in `READERS`: a whole policy, a trust file that holds one, or a
report policy, which demands nothing of a statement because a bare hardware report has none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from attest import FormatError, Roots, read_policy
from attest.canonical import write_canonical
from attest.closed import read_record, write_record
from attest.policy import Policy, policy_digest
from attest.roots import read_roots
from attest.snp.policy import SnpPolicy
from attest.tdx.policy import TdxPolicy
from sealroom.cli_files import read_input
from sealroom.errors import TrustFileError
from sealroom.trust import FORMAT as TRUST_FORMAT
from sealroom.trust import Trust
from wire import errors as wire_errors
from wire.yamldoc import DOCUMENT_MAX_BYTES, Node, load_yaml

POLICY_FORMAT = "sealroom-policy/1"
REPORT_POLICY_FORMAT = "sealroom-report-policy/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPolicy:
    """What is demanded of a hardware report alone, platform by platform; None refuses them all."""

    snp: SnpPolicy | None
    tdx: TdxPolicy | None
    format: Literal["sealroom-report-policy/1"] = "sealroom-report-policy/1"

    def __post_init__(self) -> None:
        if self.snp is None and self.tdx is None:
            raise ValueError("there is no platform, so nothing could be accepted")


def read_report_policy(value: object) -> ReportPolicy:
    """Read a report policy from nested dicts, lists and text.

    Raises:
        FormatError: a field is missing, unknown or not in its one spelling.
    """
    return read_record(ReportPolicy, value, "policy")


def digest(policy: Policy | ReportPolicy) -> bytes:
    """SHA-256 over the policy's RFC 8785 JSON."""
    if isinstance(policy, Policy):
        return policy_digest(policy)
    return hashlib.sha256(write_canonical(write_record(policy))).digest()


READERS: dict[str, Callable[[Node], Policy | ReportPolicy]] = {
    POLICY_FORMAT: read_policy,
    REPORT_POLICY_FORMAT: read_report_policy,
}


def load_policy(name: str) -> Policy | ReportPolicy:
    """The policy in the file `name`.

    Raises:
        TrustFileError: it is no such file.
        InputError: it cannot be read.
    """
    data = read_input(name, DOCUMENT_MAX_BYTES)
    document = _load(data, name)
    form = document.get("format") if isinstance(document, dict) else None
    if form == TRUST_FORMAT:
        return Trust.parse(data, where=name).policy
    if not isinstance(form, str) or form not in READERS:
        wanted = f"format {', '.join([*READERS, TRUST_FORMAT])}"
        raise TrustFileError(name, wanted, form if isinstance(form, str) else "none")
    try:
        return READERS[form](document)
    except FormatError as error:
        raise TrustFileError(name, "a complete policy", str(error)) from error


def load_roots(name: str) -> Roots:
    """The roots in the file `name`: the list that `roots` of a trust file may be.

    Raises:
        TrustFileError: it is no such list.
        InputError: it cannot be read.
    """
    try:
        return read_roots(_load(read_input(name, DOCUMENT_MAX_BYTES), name))
    except FormatError as error:
        raise TrustFileError(
            name, "a list of {line, ark, ask, asvk} or {intel}", str(error)
        ) from error


def _load(data: bytes, name: str) -> Node:
    try:
        return load_yaml(data, what="document")
    except wire_errors.FormatError as error:
        raise TrustFileError(name, "strict YAML", str(error)) from error
