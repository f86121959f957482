# SPDX-License-Identifier: Apache-2.0
"""The policy: everything that a verifier demands, as data.

It is read from nested dicts, lists and text (YAML, through the strict loader outside `attest`) as a
closed schema in which every field is required. Its digest is part of each verification's result.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from attest.canonical import write_canonical
from attest.closed import Elsewhere, read_record, write_record
from attest.scalars import Text, Whole
from attest.statement import Digest, Lack, Platform, Variant

if TYPE_CHECKING:
    from attest.snp.policy import SnpPolicy
    from attest.tdx.policy import TdxPolicy
else:  # A platform's part is imported with the first policy that has one.
    SnpPolicy = Annotated[Any, Elsewhere("attest.snp.policy", "SnpPolicy")]
    TdxPolicy = Annotated[Any, Elsewhere("attest.tdx.policy", "TdxPolicy")]

POLICIES_REMEMBERED = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementPolicy:
    """What is demanded of the attested statement. Every set is an allow-list.

    Attributes:
        products: accepted names of the software.
        variants: accepted images.
        life_s: longest accepted life of an epoch's keys, in seconds.
        models: accepted SHA-256 of the model file.
        prompts: accepted SHA-256 over the prompts.
        configurations: accepted SHA-256 over the guest's configuration.
        lacking: what a guest may lack of its isolation and start self-test; nothing when empty.
    """

    products: frozenset[Annotated[str, Text(64)]]
    variants: frozenset[Variant]
    life_s: Annotated[int, Whole(1, 7 * 86400)]
    models: frozenset[Digest]
    prompts: frozenset[Digest]
    configurations: frozenset[Digest]
    lacking: frozenset[Lack]

    def __post_init__(self) -> None:
        for name in ("products", "variants", "models", "prompts", "configurations"):
            if not getattr(self, name):
                raise ValueError(f"{name} is empty, so nothing could be accepted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a verifier demands of a guest, platform by platform, and of its statement.

    Attributes:
        snp: of SEV-SNP guests; None refuses them all.
        tdx: of TDX guests; None refuses them all.
        statement: of what any guest says of itself.
    """

    snp: SnpPolicy | None
    tdx: TdxPolicy | None
    statement: StatementPolicy
    format: Literal["sealroom-policy/1"] = "sealroom-policy/1"

    def __post_init__(self) -> None:
        if not self.platforms:
            raise ValueError("there is no platform, so nothing could be accepted")

    @property
    def platforms(self) -> frozenset[Platform]:
        """The platforms whose guests may be accepted."""
        found = {Platform.SEV_SNP: self.snp, Platform.TDX: self.tdx}
        return frozenset(platform for platform, policy in found.items() if policy is not None)


def read_policy(value: object) -> Policy:
    """Read a policy from nested dicts, lists and text.

    Raises:
        FormatError: a field is missing, unknown or not in its one spelling.
    """
    return read_record(Policy, value, "policy")


def write_policy(policy: Policy) -> dict[str, Any]:
    """The form that `read_policy` reads."""
    return write_record(policy)


@lru_cache(maxsize=POLICIES_REMEMBERED)
def policy_digest(policy: Policy) -> bytes:
    """SHA-256 over the policy's RFC 8785 JSON, whatever file it came from."""
    return hashlib.sha256(write_canonical(write_policy(policy))).digest()
