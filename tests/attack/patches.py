# SPDX-License-Identifier: Apache-2.0
"""Taking a defence out of the device: the SDK and the verifier of this very process, patched.

Each function here takes one out for as long as the monkeypatch lasts. None of this is in the
product, which has no switch for any of it.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
import rfc8785

from attest.errors import FormatError
from attest.findings import Reason
from attest.receipt import Ended, Fact, Kernel, Receipt
from lab.mocktsm import mock_intel_roots, mock_roots
from sealroom import answer, evidence, room, transport
from sealroom.answer import AnswerReader, Complete
from sealroom.errors import AlteredError, Truncated, Unreachable
from wire import chunks
from wire.api import Done, Milliseconds
from wire.api import Ended as Stopped
from wire.errors import OpenError, SpentError

Patch = Callable[[pytest.MonkeyPatch], None]

# Where rules stand as rows; a reason that is in none of these has a function of its own below.
TABLES = (
    ("attest.snp.verify", "RULES"),
    ("attest.snp.verify", "PRODUCT_RULES"),
    ("attest.tdx.verify", "RULES"),
    ("attest.tdx.verify", "SIGNATURE_RULES"),
    ("attest.tdx.chain", "CHAIN_RULES"),
    ("attest.verify", "BINDING_RULES"),
    ("attest.verify", "STATEMENT_RULES"),
)
DONE = Done(Stopped.STOP, 0, 0, 0, Milliseconds(0, 0, 0, 0))
UNKNOWN = Kernel(init_on_free=Fact.UNKNOWN, swap=Fact.UNKNOWN, core_dumps=Fact.UNKNOWN)
MADE_UP = Receipt(
    epoch=1,
    exchange=bytes(32),
    ended=Ended.UNKNOWN,
    code=0,
    lived_ms=0,
    erased_ms=0,
    kernel=UNKNOWN,
)


def rules(*reasons: Reason) -> Patch:
    """The verifier without the rules that have these reasons."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        for name, table in TABLES:
            module = importlib.import_module(name)
            kept = tuple(rule for rule in getattr(module, table) if rule.reason not in reasons)
            monkeypatch.setattr(module, table, kept)

    return patch


def snp_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attest.snp.verify._verify_signature", lambda _: None)


def snp_issuer_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attest.snp.roots.Authority.verify", lambda *_: None)


def snp_revocation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attest.snp.chain._revocation", lambda *_: [])


def tdx_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever root a chain ends in, it is taken for a known one."""
    chain = importlib.import_module("attest.tdx.chain")
    verify = chain.verify_chain

    def believing(given: Any, collateral: Any, roots: Any, now: Any) -> Any:
        return verify(replace(given, root=roots[0].der), collateral, roots, now)

    monkeypatch.setattr("attest.tdx.verify.verify_chain", believing)


def tdx_trailing_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attest.tdx.verify._trailing", lambda *_: [])


def pinned_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mock's roots among the pinned ones; and the variant is not looked at."""
    real = importlib.import_module("attest.roots").pinned_roots()
    amd = real.amd + mock_roots().amd
    both = replace(real, amd=amd, intel=real.intel + mock_intel_roots().intel)
    monkeypatch.setattr("lab.attack.statements.pinned_roots", lambda: both)
    rules(Reason.VARIANT_NOT_ACCEPTED)(monkeypatch)


def bound_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report vouches for any statement; how long its life may be is not looked at either."""
    rules(Reason.REPORT_DATA_MISMATCH, Reason.UNKNOWN_CONFIGURATION)(monkeypatch)


def one_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence is read as any JSON parser reads it."""
    parse = vars(evidence)["parse_evidence"]

    def lenient(data: bytes) -> Any:
        try:
            return parse(data)
        except FormatError:
            return parse(rfc8785.dumps(json.loads(data)))

    monkeypatch.setattr(evidence, "parse_evidence", lenient)


def failing_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that goes on with what it has when evidence cannot be had."""
    kept: list[bytes] = []
    fetch = transport.Transport.fetch_evidence

    async def remembered(self: transport.Transport) -> bytes:
        try:
            kept.append(await fetch(self))
        except Unreachable:
            if not kept:
                raise
        return kept[-1]

    monkeypatch.setattr(transport.Transport, "fetch_evidence", remembered)


def no_redirects(monkeypatch: pytest.MonkeyPatch) -> None:
    request = aiohttp.ClientSession._request

    async def following(self: Any, *arguments: Any, **given: Any) -> Any:
        return await request(self, *arguments, **{**given, "allow_redirects": True})

    monkeypatch.setattr(aiohttp.ClientSession, "_request", following)
    monkeypatch.setattr(transport, "_body", lambda sealed: sealed)  # which can be sent twice


def sealed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second try sends what the first has sent."""
    made: list[Any] = []
    seal = vars(room)["seal"]

    def once(*arguments: Any, **given: Any) -> Any:
        made.append(made[0] if made else seal(*arguments, **given))
        return made[0]

    monkeypatch.setattr(room, "seal", once)


def bounded_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "EVIDENCE_MAX_BYTES", 1 << 40)
    monkeypatch.setattr(transport, "RESPONSE_MAX_BYTES", 1 << 40)
    monkeypatch.setattr(chunks, "_SEALED_MAX_BYTES", 1 << 40)


def the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has come when the stream ends is taken for all of it."""
    finish = AnswerReader.finish

    def believing(self: AnswerReader) -> tuple[str, Complete]:
        try:
            return finish(self)
        except (Truncated, AlteredError, SpentError):
            return "", Complete(self.text, DONE, MADE_UP, b"", b"")

    async def ending(self: transport.Body) -> bytes:
        try:
            return await read(self)
        except Truncated:
            return b""

    read = transport.Body._next
    monkeypatch.setattr(AnswerReader, "finish", believing)
    monkeypatch.setattr(transport.Body, "_next", ending)


def authenticity(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk that does not open is passed over, and the end is believed."""
    open_chunk = chunks.ChunkOpener._open
    receive = AnswerReader.receive

    def passing_over(self: chunks.ChunkOpener, sealed: bytes) -> bytes:
        try:
            return open_chunk(self, sealed)
        except OpenError:
            vars(self._context)["counter"] += 1
            return b""

    def believing(self: AnswerReader, data: bytes) -> str:
        try:
            return receive(self, data)
        except (AlteredError, SpentError):
            return ""

    monkeypatch.setattr(chunks.ChunkOpener, "_open", passing_over)
    monkeypatch.setattr(AnswerReader, "receive", believing)
    the_end(monkeypatch)


def media_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any reply with status 200 is an answer, and what does not open is passed over."""
    monkeypatch.setattr(transport, "_check_sealed", lambda *_: None)
    authenticity(monkeypatch)


def receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    """However the room ended, the answer is complete."""
    monkeypatch.setattr(answer, "check_emptied", lambda _: None)


def closed_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration document may have fields that nobody knows."""
    config = importlib.import_module("guest.config")
    load = config.load_yaml

    def known(value: Any, like: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: known(value[key], like[key]) for key in value if key in like}

    schema = {
        **dict.fromkeys(("format", "variant"), None),
        "gate": dict.fromkeys(
            ("slots", "waiting_max", "request_max_bytes", "idle_max_s", "deadline_s")
        ),
        "keys": dict.fromkeys(("kems", "life_s", "overlap_s", "grace_s", "replay_max")),
        "model": dict.fromkeys(("digest", "context_tokens", "threads")),
        "answer": dict.fromkeys(("tick_ms",)),
        "stapling": dict.fromkeys(("endorsements",)),
    }
    monkeypatch.setattr(
        config, "load_yaml", lambda data, what: known(load(data, what=what), schema)
    )


def closed_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    """The document that describes the mock platform may have members that nobody knows."""
    monkeypatch.setattr("lab.attack.environment.MockTsm.from_plain", lambda _: None)
