# SPDX-License-Identifier: Apache-2.0
"""Whether an entry is in a log that witnesses have seen: rules L1 to L6, all of one stage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature

from attest.errors import FormatError
from attest.findings import Finding, Reason, Refused, Rule, Stage, apply, conclude
from attest.log.checkpoint import Checkpoint
from attest.log.keys import LogKey, signed_at
from attest.log.merkle import leaf_hash, root_of
from attest.log.policy import LogPolicy
from attest.log.proof import parse_proof

CLOCK_SKEW_S: Final = 300  # by which a witness's clock may be ahead of ours


class Cosigned(NamedTuple):
    """A witness that has seen the tree, and when; None if it does not say."""

    name: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry of a log.

    Attributes:
        origin: which log.
        index: of the entry.
        size: of the tree in which it was proved.
        cosigned: the witnesses of the policy that have seen this tree.
    """

    origin: str
    index: int
    size: int
    cosigned: tuple[Cosigned, ...]


class _Claims(NamedTuple):
    """What a proof shows: signatures by key, and where its path leads.

    ``log`` is the key of the log with the checkpoint's name; ``valid`` has Unix times in seconds,
    ``invalid`` who did not sign what is said to be signed. ``leads_to`` says it in words if a path
    leads nowhere.
    """

    now_s: int
    checkpoint: Checkpoint
    log: LogKey | None
    valid: dict[LogKey, int]
    invalid: tuple[str, ...]
    leads_to: bytes | str


def verify_logged(entry: bytes, proof: bytes, policy: LogPolicy, *, now: datetime) -> Logged:
    """The entry's place in a log of the policy, in a tree that the policy's quorum has cosigned.

    Args:
        entry: exactly what was logged.
        proof: a C2SP tlog-proof.
        policy: whom to believe.
        now: of the caller's clock.

    Raises:
        Refused: it is not shown to be there; every finding is told.
    """
    try:
        parsed = parse_proof(proof)
    except FormatError as error:
        finding = Finding(Reason.MALFORMED_LOG_PROOF, "a C2SP tlog-proof", str(error))
        raise Refused(Stage.LOG, [finding]) from error
    checkpoint = parsed.checkpoint
    logs = [key for key in policy.logs if key.name == checkpoint.origin]
    valid, invalid = _signatures(logs, policy, checkpoint)
    leads_to: bytes | str
    try:
        leads_to = root_of(leaf_hash(entry), parsed.index, checkpoint.size, parsed.path)
    except ValueError as error:
        leads_to = str(error)
    signer = next((key for key in logs if key in valid), None)
    now_s = int(now.timestamp())
    claims = _Claims(now_s, checkpoint, signer, valid, invalid, leads_to)
    conclude(Stage.LOG, apply(RULES, policy, claims))
    cosigned = (Cosigned(x.name, _time(valid[x.key])) for x in policy.witnesses if x.key in valid)
    return Logged(checkpoint.origin, parsed.index, checkpoint.size, tuple(cosigned))


def _signatures(
    logs: list[LogKey], policy: LogPolicy, checkpoint: Checkpoint
) -> tuple[dict[LogKey, int], tuple[str, ...]]:
    """Whose signatures are good, and who did not sign what is said to be theirs.

    Signatures of keys that nobody knows are passed over, as C2SP signed-note asks. To a log that
    nobody knows no witness is asked about.
    """
    known = [*logs, *(witness.key for witness in policy.witnesses)] if logs else []
    by_id = {(key.name, key.key_id): key for key in known}
    valid: dict[LogKey, int] = {}
    invalid: list[str] = []
    for signature in checkpoint.note.signatures:
        key = by_id.get((signature.name, signature.key_id))
        if key is None:
            continue
        try:
            time_s = signed_at(key, checkpoint, signature.signature)
        except InvalidSignature:
            invalid.append(key.name)
            continue
        valid[key] = max(time_s, valid.get(key, 0))
    return valid, tuple(invalid)


def _time(time_s: int) -> datetime | None:
    return datetime.fromtimestamp(time_s, UTC) if time_s else None


def _latest(claims: _Claims) -> int:
    return max(claims.valid.values(), default=0)


def _names(claims: _Claims) -> str:
    return ", ".join(sorted({key.name for key in claims.valid})) or "nobody"


RULES: Final[tuple[Rule[LogPolicy, _Claims], ...]] = (
    Rule(
        "L1",
        Reason.UNKNOWN_LOG,
        lambda p, c: c.checkpoint.origin in {key.name for key in p.logs},
        lambda p, c: " or ".join(sorted({key.name for key in p.logs})),
        lambda c: c.checkpoint.origin,
    ),
    Rule(
        "L2",
        Reason.LOG_SIGNATURE,
        lambda p, c: c.log is not None,
        lambda p, c: "the log's signature",
        lambda c: f"signatures of {_names(c)}",
    ),
    Rule(  # A known key's bad signature spoils the note (C2SP signed-note).
        "L3",
        Reason.COSIGNATURE,
        lambda p, c: not c.invalid,
        lambda p, c: "only good signatures of known keys",
        lambda c: ", ".join(sorted(set(c.invalid))) or "good ones",
    ),
    Rule(
        "L4",
        Reason.WITNESS_QUORUM,
        lambda p, c: p.quorum.seen(c.valid.keys()),
        lambda p, c: f"cosignatures of {p.quorum.name}",
        lambda c: f"signatures of {_names(c)}",
    ),
    Rule(
        "L5",
        Reason.COSIGNATURE_NOT_YET,
        lambda p, c: _latest(c) <= c.now_s + CLOCK_SKEW_S,
        lambda p, c: f"cosignatures until {c.now_s + CLOCK_SKEW_S}",
        lambda c: f"{_latest(c)}",
    ),
    Rule(
        "L6",
        Reason.NOT_LOGGED,
        lambda p, c: c.leads_to == c.checkpoint.root,
        lambda p, c: f"a path to the root {c.checkpoint.root.hex()}",
        lambda c: c.leads_to if isinstance(c.leads_to, str) else c.leads_to.hex(),
    ),
)
