# SPDX-License-Identifier: Apache-2.0
"""The rows of TDX: quotes, bundles of quote and collateral, collateral, Intel's root.

A quote without collateral of its own is judged with that of another platform, of the same FMSPC
where there is one: its certificates and signatures are checked all the same, and the rules then
say what else is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from attest import FormatError, Reason, Refused, Stage
from attest.result import VerifiedReport
from attest.roots import intel_roots
from attest.tdx.verify import verify_quote
from lab.evidence_table import intel_documents
from lab.evidence_table.policies import tdx_policy
from lab.evidence_table.row import NONE, Row, Verdict, judge

NOT_SUPPORTED = "NOT_SUPPORTED"
SIGNED = "signature-chain-valid-to-Intel-production-root"
SGX = "0x0"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A quote with collateral, and the time at which both are judged; ``item`` names the quote."""

    path: Path
    item: str
    quote: bytes
    collateral: bytes
    now: datetime
    told: dict[str, Any]

    @property
    def fmspc(self) -> str:
        """Whose collateral it is."""
        members: dict[str, str] = json.loads(self.collateral)
        fmspc: str = json.loads(members["tcb_info"])["fmspc"]
        return fmspc.lower()


def rows(folder: Path) -> Iterator[Row]:
    """Every item of Intel's in the directory."""
    expected: list[dict[str, Any]] = json.loads((folder / "intel" / "expected.json").read_text())
    quotes = {row["quote"]: row for row in expected}
    bundles = [load_bundle(folder, path) for path in sorted(folder.glob("intel/bundles/*.json"))]
    yield from (_quote(folder, row, bundles) for row in expected)
    yield from (_bundle(folder, bundle, quotes) for bundle in bundles)
    for path in sorted(folder.glob("intel/*/collateral.json")):
        yield _collateral(folder, path, bundles)
    for path in sorted(folder.glob("intel/roots/*.der")):
        yield _root(folder, path)
    yield from intel_documents.rows(folder, [(b.quote, b.collateral) for b in bundles])


def load_bundle(folder: Path, path: Path) -> Bundle:
    """A bundle file; its collateral is an object within."""
    told: dict[str, Any] = json.loads(path.read_text())
    collateral = json.dumps(told["collateral"], ensure_ascii=False).encode()
    quote = (folder / told["quote"]).read_bytes()
    now = datetime.fromisoformat(told["now_iso"])
    return Bundle(path, told["quote"], quote, collateral, now, told)


def _judge(quote: bytes, bundle: Bundle) -> Verdict:
    """Our verdict; the status is told even of what another rule refuses."""
    try:
        policies = [tdx_policy(quote, bundle.collateral, rated=rated) for rated in (True, False)]
    except FormatError:  # of no consequence: a malformed quote is never held against a policy
        policies = [tdx_policy(bundle.quote, bundle.collateral)]
    verify = partial(
        verify_quote, quote, bundle.collateral, roots=intel_roots().intel, now=bundle.now
    )
    got = judge(partial(verify, policies[0]))
    if got.stage is not Stage.RULES:
        return got
    told = _told(partial(verify, policies[-1]))
    status = told.get(Reason.TCB_STATUS_NOT_ACCEPTED, NONE)
    if Reason.TCB_NOT_SUPPORTED in told:
        status = NOT_SUPPORTED
    advisories = told.get(Reason.ADVISORY_NOT_ACCEPTED)
    return replace(
        got, status=status, advisories=tuple(advisories.split(", ") if advisories else ())
    )


def _told(verify: Callable[[], VerifiedReport]) -> dict[Reason, str]:
    """What the findings of a refusal say that was got."""
    try:
        verify()
    except Refused as refused:
        return {finding.reason: finding.got for finding in refused.findings}
    return {}


def _quote(folder: Path, told: dict[str, Any], bundles: list[Bundle]) -> Row:
    quote = (folder / told["quote"]).read_bytes()
    bundle = min(
        bundles, key=lambda b: (b.item != told["quote"], b.fmspc != told.get("fmspc"), b.path)
    )
    got = _judge(quote, bundle)
    if told["tee_type"] == SGX:
        expected = "an SGX quote: refused by name"
        agrees = Reason.UNSUPPORTED_QUOTE_VERSION in got.reasons
    else:
        expected = told["verdict"]
        agrees = got.signed == (expected == SIGNED)
    own = "" if bundle.item == told["quote"] else f", with the collateral of {bundle.path.stem}"
    return Row(
        item=told["quote"],
        what=f"quote, version {told['version']}, body type {told['body_type']}{own}",
        clock=bundle.now,
        expected=expected,
        got=got,
        agrees=agrees,
    )


def _bundle(folder: Path, bundle: Bundle, quotes: dict[str, dict[str, Any]]) -> Row:
    got = _judge(bundle.quote, bundle)
    wanted: str = bundle.told["expected_status_intel"]
    told = quotes.get(bundle.item, {})
    reasons = tuple(
        reason
        for reason, applies in (
            (Reason.TCB_NOT_SUPPORTED, wanted == NOT_SUPPORTED),
            (Reason.TD_DEBUG, told.get("td_attributes", "00")[:2] != "00"),
        )
        if applies
    )
    same = (got.status, list(got.advisories), got.reasons)
    return Row(
        item=str(bundle.path.relative_to(folder)),
        what=f"quote {Path(bundle.item).parent.name} with its collateral",
        clock=bundle.now,
        expected=" ".join([wanted, *bundle.told["advisory_ids"]]),
        got=got,
        agrees=same == (wanted, bundle.told["advisory_ids"], reasons),
    )


def _collateral(folder: Path, path: Path, bundles: list[Bundle]) -> Row:
    """Collateral beside a quote, at the clock of the bundle that is of the same quote."""
    item, collateral = str(path.relative_to(folder)), path.read_bytes()
    quote = next(path.parent.glob("quote.*"))
    own = [b for b in bundles if b.item == str(quote.relative_to(folder))]
    bundle = replace((own or bundles)[0], collateral=collateral)
    got = _judge(quote.read_bytes(), bundle)
    if own:
        wanted = _judge(own[0].quote, own[0])
        expected, agrees = f"as {own[0].path.stem}", got == wanted
    else:
        expected = "of an SGX platform: refused by name"
        agrees = Reason.UNSUPPORTED_QUOTE_VERSION in got.reasons
    return Row(
        item=item,
        what=f"collateral, with {quote.name} beside it",
        clock=bundle.now,
        expected=expected,
        got=got,
        agrees=agrees,
    )


def _root(folder: Path, path: Path) -> Row:
    pinned = path.read_bytes() in {root.der for root in intel_roots().intel}
    return Row(
        item=str(path.relative_to(folder)),
        what="certificate of Intel's root",
        clock=None,
        expected="one of the pinned roots",
        got=Verdict() if pinned else Verdict(Stage.CHAIN, (Reason.UNKNOWN_ISSUER,)),
        agrees=pinned,
    )
