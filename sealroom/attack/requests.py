# SPDX-License-Identifier: Apache-2.0
"""Attacks on a request on its way to the guest: replay, forging, downgrade, and what errors tell.

What is refused is refused in one way: the word says which table row it met, and never why a
ciphertext did not open.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Final

import aiohttp

from sealroom.attack.attack import Attack, UnclearError, Verdict, refused, succeeded
from sealroom.attack.own_key import OwnKey
from sealroom.attack.sealed import ANSWERED, BUSY, ByHand, Reply, Sealed
from sealroom.attack.target import HONEST, TEXT, Target
from sealroom.exchange import SUITE
from wire.chunks import CHUNK_MAX_BYTES
from wire.ohttp import HEADER_BYTES, Mode
from wire.varint import write_varint

COPIES: Final = 100
AT_ONCE: Final = 25
ENC_ENDS: Final = HEADER_BYTES + SUITE.enc_bytes
TOO_LARGE_BYTES: Final = 1 << 20
PIECE_BYTES: Final = 65536
REFUSED: Final = 400
UNKNOWN_KEY: Final = 422
KEM_AT, KDF_AT, AEAD_AT = 1, 3, 5  # RFC 9458 §4.3
P256, SHA512, CHACHA = b"\x00\x10", b"\x00\x03", b"\x00\x03"


def flip(data: bytes, at: int) -> bytes:
    """One bit changed."""
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def put(data: bytes, at: int, new: bytes) -> bytes:
    """Some bytes in the place of others."""
    return data[:at] + new + data[at + len(new) :]


async def control(client: ByHand) -> Sealed:
    """A request that was answered, so that a refusal of its like means something.

    Raises:
        UnclearError: it was not.
    """
    sealed = client.seal()
    reply = await client.send(sealed)
    if not sealed.opens(reply):
        raise UnclearError(f"an honest request was not answered: {reply.told}")
    return sealed


def none_answered(replies: list[Reply], what: str) -> Verdict:
    """Whether every one of them is a refusal in the clear."""
    answered = [reply for reply in replies if reply.status == ANSWERED]
    if answered:
        return succeeded(f"{len(answered)} of {len(replies)} {what} were answered")
    told = ", ".join(sorted({reply.told for reply in replies}))
    return refused(f"{len(replies)} {what}: {told}")


async def replay(target: Target) -> Verdict:
    """One ciphertext, after it was answered, again and again."""
    client = await ByHand.of(target)
    sealed = await control(client)
    replies = [await client.send(sealed) for _ in range(COPIES)]
    return none_answered(replies, "copies of an answered request")


async def replay_at_once(target: Target) -> Verdict:
    """One ciphertext in many connections at the same time: at most one answer."""
    client = await ByHand.of(target)
    await control(client)
    sealed = client.seal()
    slots = asyncio.Semaphore(AT_ONCE)

    async def one() -> Reply:
        async with slots:
            return await client.post(f"/t/{sealed.target}", sealed.body)

    replies = await asyncio.gather(*(one() for _ in range(COPIES)))
    answered = sum(reply.status == ANSWERED for reply in replies)
    if answered > 1:
        return succeeded(f"{answered} of {COPIES} copies were answered")
    if not answered:
        raise UnclearError("not one of the copies was answered")
    busy = sum(reply.status == BUSY for reply in replies)
    return refused(f"1 of {COPIES} copies was answered, {busy} met no free slot")


async def replay_mended(target: Target) -> Verdict:
    """An encapsulation that was asked for once, with a tag that is right this time."""
    client = await ByHand.of(target)
    await control(client)
    sealed = client.seal()
    first = await client.send(sealed, flip(sealed.body, -1))
    if first.status != REFUSED:
        return succeeded(f"a request with a wrong tag: {first.told}")
    return none_answered([await client.send(sealed)], "mended requests")


def forgeries(sealed: Sealed, used: Sealed, other: bytes) -> dict[str, bytes]:
    """Requests to the right key that do not open, each for another reason."""
    body = sealed.body
    return {
        "wrong tag": flip(body, -1),
        "wrong bit in a chunk": flip(body, ENC_ENDS + 40),
        "wrong X25519 part of enc": flip(body, ENC_ENDS - 1),
        "wrong ML-KEM part of enc": flip(body, HEADER_BYTES + 9),
        "enc of another key": put(body, HEADER_BYTES, other[HEADER_BYTES:ENC_ENDS]),
        "cut in the final chunk": body[:-1],
        "cut behind enc": body[:ENC_ENDS],
        "cut in enc": body[: ENC_ENDS - 1],
        "cut in the header": body[: HEADER_BYTES - 1],
        "no KEM of ours": put(body, KEM_AT, P256),
        "a byte too many": body + b"\x00",
        "empty chunk": body[:ENC_ENDS] + write_varint(16) + bytes(16),
        "absurd chunk": body[:ENC_ENDS] + write_varint(2**62 - 1) + bytes(64),
        "large chunk": body[:ENC_ENDS] + write_varint(CHUNK_MAX_BYTES + 17) + bytes(64),
        "answered before": used.body,
    }


def strangers(sealed: Sealed) -> dict[str, bytes]:
    """Requests whose clear header names no key of the guest: public bytes, so no oracle."""
    body = sealed.body
    return {
        "unknown key id": flip(body, 0),
        "KDF not offered": put(body, KDF_AT, SHA512),
        "AEAD not offered": put(body, AEAD_AT, CHACHA),
    }


async def error_oracle(target: Target) -> Verdict:
    """Every way not to open, compared byte by byte."""
    client = await ByHand.of(target)
    used = await control(client)
    stranger = OwnKey().seal(HONEST.content)
    told: dict[str, dict[str, Reply]] = {}
    sealed = client.seal()
    for kind, bodies in (
        ("forgeries", forgeries(sealed, used, stranger)),
        ("headers of no key", strangers(sealed)),
    ):
        told[kind] = {}
        for name in bodies:
            # Each has an encapsulation of its own, or all but the first would be replays.
            fresh = client.seal()
            made = {**forgeries(fresh, used, stranger), **strangers(fresh)}[name]
            told[kind][name] = await client.send(fresh, made)
    for kind, replies in told.items():
        first = next(iter(replies.values()))
        odd = [name for name, reply in replies.items() if reply != first]
        if odd:
            return succeeded(f"{kind}: {', '.join(odd)} are told apart from the others")
    answered = [r for replies in told.values() for r in replies.values() if r.status == ANSWERED]
    if answered:
        return succeeded(f"{len(answered)} requests that do not open were answered")
    counts = " and ".join(f"{len(replies)} {kind}" for kind, replies in told.items())
    return refused(f"{counts}, each kind the same to the byte")


async def wrong_key(target: Target) -> Verdict:
    """A request to the right place under the right key id, sealed to another key."""
    client = await ByHand.of(target)
    sealed = await control(client)
    body = sealed.body[:1] + OwnKey().seal(HONEST.content)[1:]
    return none_answered([await client.post(f"/t/{sealed.target}", body)], "of another key")


async def downgrade(target: Target) -> Verdict:
    """The request in plain text, under every name it could have."""
    client = await ByHand.of(target)
    sealed = await control(client)
    where, plain = f"/t/{sealed.target}", HONEST.content
    replies = [
        await client.post(where, plain, media=media)
        for media in ("application/json", "message/bhttp", "text/plain", "", *map(str, Mode))
    ]
    replies += [await client.post(HONEST.path, plain, media="application/json")]
    if any(TEXT.encode() in reply.body for reply in replies):
        return succeeded("a refusal repeats the text")
    return none_answered(replies, "plain requests")


async def other_media(target: Target) -> Verdict:
    """A good sealed request under names that are nearly right."""
    client = await ByHand.of(target)
    await control(client)
    right = Mode.CHUNKED.value
    names: list[tuple[str, tuple[tuple[str, str], ...]]] = [
        (Mode.WHOLE.value, ()),
        (right.upper(), ()),
        (f"{right}; charset=utf-8", ()),
        (Mode.CHUNKED.response_media, ()),
        (right, (("Content-Type", "application/json"),)),
        ("application/json", (("Content-Type", right),)),
    ]
    replies = []
    for media, headers in names:
        sealed = client.seal()
        where = f"/t/{sealed.target}"
        replies.append(await client.post(where, sealed.body, media=media, headers=headers))
    return none_answered(replies, "requests under another media type")


async def compressed(target: Target) -> Verdict:
    """A good sealed request, compressed: whoever unpacks it could be made to unpack a bomb."""
    client = await ByHand.of(target)
    await control(client)
    replies = []
    for coding in ("gzip", "deflate", "br", "zstd", "identity, gzip"):
        sealed = client.seal()
        body = gzip.compress(sealed.body)
        encoded = (("Content-Encoding", coding),)
        replies.append(await client.post(f"/t/{sealed.target}", body, headers=encoded))
    bomb = gzip.compress(bytes(64 << 20))
    where = f"/t/{client.seal().target}"
    replies.append(await client.post(where, bomb, headers=(("Content-Encoding", "gzip"),)))
    return none_answered(replies, "compressed requests, one of them 64 MiB when unpacked,")


async def oversize(target: Target) -> Verdict:
    """More than anybody carries: said beforehand, and not said."""
    client = await ByHand.of(target)
    sealed = await control(client)
    where = f"/t/{sealed.target}"
    taken = 0

    async def stream() -> AsyncIterator[bytes]:
        nonlocal taken
        yield client.seal().body
        while taken < 8 * TOO_LARGE_BYTES:
            taken += PIECE_BYTES
            yield bytes(PIECE_BYTES)

    replies: list[Reply] = []
    hung_up = 0
    for body in (bytes(TOO_LARGE_BYTES), stream()):
        # A connection that is closed in the middle of the sending is a refusal too.
        try:
            replies.append(await client.post(where, body))
        except (aiohttp.ClientConnectionError, ConnectionError):
            hung_up += 1
    if taken >= 8 * TOO_LARGE_BYTES:
        return succeeded(f"{taken} bytes were taken")
    await control(client)  # hung up, and not fallen over
    what = f"requests over the limit and {hung_up} cut off, the second after {taken} bytes,"
    return none_answered(replies, what)


async def elsewhere(target: Target) -> Verdict:
    """A good request to the path of a guest that is not there."""
    client = await ByHand.of(target)
    await control(client)
    sealed = client.seal()
    replies = [
        await client.post(f"/t/{name}", sealed.body)
        for name in ("0" * 16, sealed.target[::-1], sealed.target.upper(), f"{sealed.target}0")
    ]
    return none_answered(replies, "requests to another path")


_ONCE: Final = "an encapsulation is answered once: guest.keyholder.replay"
_MEDIA: Final = "only sealed media types, spelled so: services.resources.media"

ATTACKS: Final[tuple[Attack[Target], ...]] = (
    Attack(
        "replay",
        "RFC 9458 §6.5; CWE-294",
        "send one ciphertext 100 times more after it was answered",
        _ONCE,
        replay,
    ),
    Attack(
        "replay-at-once",
        "RFC 9458 §6.5; CWE-362",
        "send one ciphertext 100 times at the same time",
        _ONCE,
        replay_at_once,
    ),
    Attack(
        "replay-mended",
        "RFC 9458 §6.5",
        "send a ciphertext with a wrong tag, then with the right one",
        _ONCE,
        replay_mended,
    ),
    Attack(
        "error-oracle",
        "CWE-209, CWE-203; RFC 9180 §9.1",
        "compare all refusals of requests that do not open",
        "one word for all: guest.door.Refusal, services.problems",
        error_oracle,
    ),
    Attack(
        "wrong-key",
        "CVE-2026-33697 (relay to another endpoint)",
        "send what is sealed to another key under the guest's key id",
        "the key schedule binds the key: wire.hpke",
        wrong_key,
    ),
    Attack(
        "plaintext-downgrade",
        "CWE-757; CWE-319",
        "send the request in plain text",
        _MEDIA,
        downgrade,
    ),
    Attack(
        "media-type-confusion",
        "CWE-436; RFC 9458 §6.1",
        "send a sealed request under another media type",
        _MEDIA,
        other_media,
    ),
    Attack(
        "compressed-request",
        "dstack #566, #567; CWE-409",
        "have a request unpacked on the way",
        "nobody on the way unpacks anything: services.serving",
        compressed,
    ),
    Attack(
        "oversize-request",
        "CWE-770",
        "send more than a guest takes, with and without a length",
        "every read is counted: services.pieces.Upload",
        oversize,
    ),
    Attack(
        "other-path",
        "RFC 9458 §6.1; CWE-706",
        "ask for a guest by another spelling of its path",
        "one spelling: services.resources",
        elsewhere,
    ),
)
