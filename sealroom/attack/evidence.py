# SPDX-License-Identifier: Apache-2.0
"""Attacks on evidence on its way to a device, by whoever is between: it is altered, kept, swapped.

Nothing here has a platform to sign with. Each attack is judged by the device that meets it: it must
give up, for the reason that belongs to the attack, and seal nothing to anybody.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web

from attest import Reason, parse_evidence
from attest.evidence import EVIDENCE_MAX_BYTES, Evidence, write_evidence
from attest.statement import Platform, Statement, parse_statement, write_statement
from sealroom.attack.attack import Attack, UnclearError, Verdict, refused, succeeded
from sealroom.attack.middle import Middle, serving
from sealroom.attack.own_key import OwnKey
from sealroom.attack.target import TEXT, Target, ask, met, verified
from sealroom.errors import NotTrusted, SealroomError, StaleKey, Unreachable
from sealroom.refusals import OHTTP_KEY_PROBLEM
from sealroom.room import wall_clock

ENDLESS_BYTES: Final = 64 * EVIDENCE_MAX_BYTES  # more than any buffer on the way holds
BODY_AT: Final = 0x90  # in a report the measurement, in a quote a field of the TD's report


async def sent_to(
    target: Target,
    middle: Middle,
    own: OwnKey,
    *reasons: Reason,
    now: Callable[[], datetime] = wall_clock,
) -> Verdict:
    """Whether a device that is given the evidence of `middle` seals anything.

    Raises:
        UnclearError: it gave up for reasons that are none of `reasons`.
    """
    async with serving(middle):
        try:
            await ask(target, middle.url, now=now)
        except NotTrusted as error:
            if middle.posts:
                return succeeded("the device sent a request before it gave up")
            return _judged(error, frozenset(reasons))
        except SealroomError as error:
            if not middle.posts:
                return met(error, (NotTrusted,) if reasons else (Unreachable,))
    return succeeded(_taken(own, middle.posts))


def _judged(error: NotTrusted, reasons: frozenset[Reason]) -> Verdict:
    found = frozenset(finding.reason for finding in error.findings)
    if reasons and not found & reasons:
        raise UnclearError(f"wanted {', '.join(sorted(reasons))}, got {error}")
    names = ", ".join(sorted(found)) or str(error)
    return refused(f"NotTrusted ({error.stage}): {names}; nothing was sealed")


def _taken(own: OwnKey, posts: list[bytes]) -> str:
    """What the attacker got."""
    read = [own.read(body) for body in posts]
    if any(TEXT.encode() in plain for plain in read if plain is not None):
        return "the device sealed its request to the attacker's key, who has read it"
    return "the device sealed a request on the strength of this evidence"


Spoil = Callable[[Evidence, OwnKey], Evidence]


async def altered(target: Target, spoil: Spoil, *reasons: Reason) -> Verdict:
    """Evidence with one part replaced."""
    own = OwnKey()

    def evidence(data: bytes) -> bytes:
        parts, endorsements = parse_evidence(data)
        return write_evidence(spoil(parts, own), endorsements)

    return await sent_to(target, Middle(target.relay, evidence=evidence), own, *reasons)


def _stating(change: Callable[[Statement, OwnKey], Statement]) -> Spoil:
    def spoil(evidence: Evidence, own: OwnKey) -> Evidence:
        statement = change(parse_statement(evidence.statement), own)
        return replace(evidence, statement=write_statement(statement))

    return spoil


def _report_altered(evidence: Evidence, _own: OwnKey) -> Evidence:
    report = bytearray(evidence.report)
    report[BODY_AT] ^= 1
    return replace(evidence, report=bytes(report))


async def past(target: Target) -> Verdict:
    """Evidence that was recorded and is served after its time."""
    end = (await verified(target)).statement.not_after
    later = datetime.fromtimestamp(end, UTC)
    return await sent_to(
        target,
        Middle(target.relay),
        OwnKey(),
        Reason.STATEMENT_EXPIRED,
        now=lambda: later,
    )


async def ahead(target: Target) -> Verdict:
    """Evidence whose time has not come: a guest that runs ahead, or a device set back."""
    begin = (await verified(target)).statement.not_before
    before = datetime.fromtimestamp(begin, UTC) - timedelta(seconds=1)
    return await sent_to(
        target,
        Middle(target.relay),
        OwnKey(),
        Reason.STATEMENT_NOT_YET_VALID,
        Reason.COLLATERAL_NOT_YET_ISSUED,
        now=lambda: before,
    )


SPELLINGS: Final[tuple[tuple[str, Callable[[bytes], bytes]], ...]] = (
    ("a space at the end", lambda data: data + b" "),
    ("a line feed at the end", lambda data: data + b"\n"),
    ("a member twice", lambda data: b'{"format":"sealroom-evidence/1",' + data[1:]),
    ("an unknown member", lambda data: data[:-1] + b',"zz":0}'),
    ("members in another order", lambda data: json.dumps(_reversed(data)).encode()),
    ("padded base64url", lambda data: data.replace(b'","statement":"', b'=","statement":"')),
    ("a byte order mark", lambda data: b"\xef\xbb\xbf" + data),
    ("nothing", lambda data: b""),
    ("half of it", lambda data: data[: len(data) // 2]),
)


def _reversed(data: bytes) -> dict[str, object]:
    return dict(reversed(json.loads(data).items()))


async def spellings(target: Target) -> Verdict:
    """The same evidence in other spellings, on which two readers could differ."""
    for name, spell in SPELLINGS:
        verdict = await sent_to(target, Middle(target.relay, evidence=spell), OwnKey())
        if verdict.outcome != "refused":
            return succeeded(f"{name}: {verdict.reason}")
    return refused(f"{len(SPELLINGS)} spellings, each malformed to the device")


async def oversize(target: Target) -> Verdict:
    """Evidence that does not end; the device must stop reading by itself."""
    taken = 0

    async def endless(request: web.Request, _body: bytes) -> web.StreamResponse:
        nonlocal taken
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):  # the device has hung up
            while taken < ENDLESS_BYTES:
                await response.write(bytes(EVIDENCE_MAX_BYTES))
                taken += EVIDENCE_MAX_BYTES
        return response

    verdict = await sent_to(target, Middle(target.relay, on_evidence=endless), OwnKey())
    return succeeded(f"the device read {taken} bytes") if taken >= ENDLESS_BYTES else verdict


async def withheld(target: Target) -> Verdict:
    """No evidence, in every way that could make a device go on without it or with older one."""
    await ask(target)
    for status in (204, 304, 404, 429, 500, 503):

        async def nothing(
            _request: web.Request, _body: bytes, status: int = status
        ) -> web.StreamResponse:
            return web.Response(status=status)

        middle = Middle(target.relay, on_evidence=nothing)
        async with serving(middle):
            try:
                await ask(target, middle.url)
            except (Unreachable, NotTrusted):
                if not middle.posts:
                    continue
        return succeeded(f"with HTTP {status} in the place of evidence the device went on")
    return refused("without evidence nothing was sealed")


async def redirected(target: Target) -> Verdict:
    """The device is sent elsewhere for its evidence."""
    async with serving(Middle(target.relay)) as elsewhere:

        async def away(request: web.Request, _body: bytes) -> web.StreamResponse:
            return web.Response(status=302, headers={"Location": elsewhere.url + request.path})

        verdict = await sent_to(target, Middle(target.relay, on_evidence=away), OwnKey())
        return succeeded("it was followed") if elsewhere.fetched else verdict


def _stale(_request: web.Request) -> web.Response:
    body = {"status": 422, "title": "unknown-key", "type": OHTTP_KEY_PROBLEM}
    return web.json_response(body, status=422, content_type="application/problem+json")


async def stale_forever(target: Target) -> Verdict:
    """The device is told again and again that its key is no longer known."""

    async def stale(request: web.Request, _body: bytes) -> web.StreamResponse:
        return _stale(request)

    middle = Middle(target.relay, on_post=stale)
    async with serving(middle):
        try:
            await ask(target, middle.url)
        except StaleKey as error:
            if len(middle.posts) == len(set(middle.posts)) == 2:
                return refused(f"StaleKey after 2 requests, each sealed anew: {error}")
    return succeeded(f"{len(middle.posts)} requests, {len(set(middle.posts))} of them different")


async def swapped_at_refresh(target: Target) -> Verdict:
    """Honest evidence first; once the device is told to look again, other evidence."""
    own = OwnKey()
    served = 0

    def evidence(data: bytes) -> bytes:
        nonlocal served
        served += 1
        if served == 1:
            return data
        parts, endorsements = parse_evidence(data)
        return write_evidence(_KEY_SWAP(parts, own), endorsements)

    async def stale(request: web.Request, _body: bytes) -> web.StreamResponse:
        return _stale(request)

    middle = Middle(target.relay, evidence=evidence, on_post=stale)
    async with serving(middle):
        try:
            await ask(target, middle.url)
        except NotTrusted as error:
            if len(middle.posts) == 1:
                return _judged(error, frozenset({Reason.REPORT_DATA_MISMATCH}))
        except StaleKey:
            if served < 2:
                raise UnclearError("the device did not look at the evidence again") from None
    return succeeded(_taken(own, middle.posts))


async def endorsements_swapped(target: Target) -> Verdict:
    """Evidence with the endorsements of another platform, or with none."""

    def evidence(data: bytes) -> bytes:
        plain = json.loads(data)
        plain["endorsements"] = {"collateral": "e30"}
        if plain["platform"] == Platform.TDX:
            plain["endorsements"] = {"crl": None, "vek": "MAA"}
        return json.dumps(plain, separators=(",", ":"), sort_keys=True).encode()

    return await sent_to(target, Middle(target.relay, evidence=evidence), OwnKey())


_KEY_SWAP: Final = _stating(lambda s, own: replace(s, key_configs=(own.config_bytes,)))
_CONFIGURATION: Final = _stating(lambda s, own: replace(s, configuration=bytes(32)))
_LONGER: Final = _stating(lambda s, own: replace(s, not_after=s.not_after + 600))
_FORGED: Final = (Reason.REPORT_SIGNATURE, Reason.QUOTE_SIGNATURE)
_BOUND: Final = "the report vouches for the statement's bytes: attest.rules, S18 and T15"
_UNBOUND: Final = (Reason.REPORT_DATA_MISMATCH,)
_ONE_SPELLING: Final = "one spelling only: attest.canonical, attest.closed"


def _altered(spoil: Spoil, *reasons: Reason) -> Callable[[Target], Awaitable[Verdict]]:
    return lambda target: altered(target, spoil, *reasons)


ATTACKS: Final[tuple[Attack[Target], ...]] = (
    Attack(
        "key-config-swap",
        "draft-schwartz-ohai-consistency-doublecheck-03; CVE-2026-33697",
        "give one device a statement that names the attacker's key",
        _BOUND,
        _altered(_KEY_SWAP, *_UNBOUND),
    ),
    Attack(
        "key-config-swap-at-refresh",
        "draft-schwartz-ohai-consistency-doublecheck-03",
        "do so only when the device looks again, having been told that its key is gone",
        _BOUND,
        swapped_at_refresh,
    ),
    Attack(
        "statement-altered",
        "TOB-WAPI-13 (what is not measured can be changed)",
        "change the configuration's digest in the statement",
        _BOUND,
        _altered(_CONFIGURATION, *_UNBOUND),
    ),
    Attack(
        "life-prolonged",
        "TOB-WAPI-7 (freshness)",
        "let the statement end ten minutes later",
        _BOUND,
        _altered(_LONGER, *_UNBOUND),
    ),
    Attack(
        "report-altered",
        "CWE-347",
        "change one bit of the signed report",
        "a signature over the bytes that came: attest.snp.verify (S8), attest.tdx.rules (T8)",
        _altered(_report_altered, *_FORGED),
    ),
    Attack(
        "evidence-past-its-life",
        "TOB-WAPI-7 (freshness); CWE-294",
        "record evidence and serve it when its time is over",
        "the device's own clock judges: attest.rules (B4)",
        past,
    ),
    Attack(
        "evidence-before-its-life",
        "TOB-WAPI-7 (freshness)",
        "serve evidence whose time has not come",
        "the device's own clock judges: attest.rules (B4)",
        ahead,
    ),
    Attack(
        "evidence-in-other-spellings",
        "Trail of Bits, Secure Server-Side Memory, #4 (parsers that differ); CWE-436",
        "serve the same evidence in spellings that two parsers could read differently",
        _ONE_SPELLING,
        spellings,
    ),
    Attack(
        "endorsements-of-another-platform",
        "RFC 9334 §12; CWE-295",
        "staple endorsements of the other platform",
        _ONE_SPELLING,
        endorsements_swapped,
    ),
    Attack(
        "evidence-without-end",
        "CWE-770",
        "serve evidence that does not end",
        "every read is bounded: sealroom.transport",
        oversize,
    ),
    Attack(
        "evidence-withheld",
        "CWE-636 (not failing closed)",
        "give no evidence, with each status that could be taken for leave to go on",
        "nothing is sealed but to a VerifiedGuest: sealroom.exchange.seal",
        withheld,
    ),
    Attack(
        "evidence-redirected",
        "CWE-601",
        "send the device elsewhere for evidence",
        "redirects are not followed: sealroom.transport",
        redirected,
    ),
    Attack(
        "stale-key-again-and-again",
        "RFC 9458 §5.3",
        "tell the device for ever that its key is unknown, and collect ciphertexts",
        "one refresh, one new encryption: sealroom.room.AsyncRoom",
        stale_forever,
    ),
)
