# SPDX-License-Identifier: Apache-2.0
"""The only place of the SDK that encrypts, and it encrypts to nothing but a verified guest.

`seal` takes a `VerifiedGuest`, which only `attest.verify` can make, and takes the key out of it
itself: no caller can hand in another. Chunked OHTTP (draft-ietf-ohai-chunked-ohttp-08) around
Binary HTTP (RFC 9292), padded to a bucket before it is sealed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from attest import VerifiedGuest
from sealroom.errors import InputError, Unreachable
from wire.bhttp import Request, write_request
from wire.chunked import ChunkedRequestSealer, ChunkedResponseOpener
from wire.errors import FormatError
from wire.keyconfig import KeyConfig, parse_key_config, target
from wire.padding import pad_request
from wire.suites import DEFAULT

# Every device speaks this one suite: a choice would tell devices apart, and what a relay records
# today must stay closed to a quantum computer later.
SUITE = DEFAULT

# The authority inside the sealed request: there is one guest behind each key, so it names nothing
# (`.invalid`, RFC 6761 §6.4).
AUTHORITY = "sealroom.invalid"


@dataclass(frozen=True, slots=True)
class SealedRequest:
    """A request that one guest can open, where to send it, and what opens the answer, once."""

    target: str
    body: bytes = field(repr=False)
    opener: ChunkedResponseOpener = field(repr=False)


def seal(
    guest: VerifiedGuest, path: str, content: bytes, *, media: str, accept: str
) -> SealedRequest:
    """`POST path` with `content`, sealed to `guest`. Each call makes a new key and ciphertext.

    Raises:
        TypeError: `guest` is not a `VerifiedGuest`.
        InputError: the content does not fit the largest bucket.
        Unreachable: the guest attested no key of the suite that devices speak.
    """
    if type(guest) is not VerifiedGuest:
        raise TypeError(f"guest: wanted a VerifiedGuest, got {type(guest).__name__}")
    config_bytes, config = _key_of(guest)
    headers = (("content-type", media), ("accept", accept))
    request = Request("POST", "https", AUTHORITY, path, headers, content)
    try:
        padded = pad_request(write_request(request))
    except FormatError as error:
        raise InputError("request", "a size that fits a bucket", error.problem) from error
    sealer = ChunkedRequestSealer(config, SUITE)
    body = sealer.seal_message(padded)
    return SealedRequest(target(config_bytes), body, sealer.answer())


def _key_of(guest: VerifiedGuest) -> tuple[bytes, KeyConfig]:
    """The first attested key of our suite; `attest` leaves the bytes of a key to `wire`."""
    for config_bytes in guest.key_configs:
        try:
            config = parse_key_config(config_bytes)
        except FormatError:
            continue  # a KEM that we do not know, which a newer guest may offer besides ours
        if SUITE in config.suites:
            return config_bytes, config
    raise Unreachable("guest", "an attested key for X-Wing, HKDF-SHA256, AES-128-GCM", "none")
