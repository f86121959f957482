# SPDX-License-Identifier: Apache-2.0
"""The three resources that the relay and the ingress have, and nothing else.

This file owns which path, method and media type is acceptable. Rule: one spelling of each. A
query, a trailing slash, a percent sign, an upper-case digit or a media type parameter is
another spelling and is refused. RFC 9458 section 6.1 (a relay is no open proxy), RFC 9540
section 3 (`ohttp-gateway`), draft-ietf-ohai-chunked-ohttp-08 section 3 (media types).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.problems import METHOD_GET, METHOD_POST, NOT_FOUND, UNSUPPORTED_MEDIA, Refused

EVIDENCE_PATH: Final = "/.well-known/sealroom-evidence"
KEYS_PATH: Final = "/.well-known/ohttp-gateway"
_EXCHANGE_PATH: Final = re.compile(r"/t/([0-9a-f]{16})\Z", re.ASCII)


class Kind(StrEnum):
    """What a request asks for."""

    EXCHANGE = "exchange"
    EVIDENCE = "evidence"
    KEYS = "keys"


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource. `target` is empty unless `kind` is EXCHANGE."""

    kind: Kind
    path: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """An encapsulated request's media type, and that of the only answer it may get."""

    request: str
    response: str
    incremental: bool


WHOLE: Final = Media("message/ohttp-req", "message/ohttp-res", incremental=False)
CHUNKED: Final = Media("message/ohttp-chunked-req", "message/ohttp-chunked-res", incremental=True)
MEDIA: Final = {media.request: media for media in (WHOLE, CHUNKED)}

OBJECT_MEDIA: Final = {
    Kind.EVIDENCE: "application/json",
    Kind.KEYS: "application/ohttp-keys",
}
_OBJECT_PATHS: Final = {EVIDENCE_PATH: Kind.EVIDENCE, KEYS_PATH: Kind.KEYS}

# An answer belongs to one exchange. An object is the same for everybody and may sit in any cache
# for a minute, which is short against a key's overlap; it has no validator, because an ETag would
# let a server recognise a client.
CACHE: Final = {
    Kind.EXCHANGE: "no-store, no-transform",
    Kind.EVIDENCE: "public, max-age=60, no-transform",
    Kind.KEYS: "public, max-age=60, no-transform",
}


def resource(method: str, raw_path: str) -> Resource:
    """The resource that `method` and the undecoded request target name.

    Raises:
        Refused: NOT_FOUND for another path, METHOD_GET or METHOD_POST for another method.
    """
    exchange = _EXCHANGE_PATH.match(raw_path)
    if exchange is not None:
        if method != "POST":
            raise Refused(METHOD_POST)
        return Resource(Kind.EXCHANGE, raw_path, exchange[1])
    kind = _OBJECT_PATHS.get(raw_path)
    if kind is None:
        raise Refused(NOT_FOUND)
    if method != "GET":
        raise Refused(METHOD_GET)
    return Resource(kind, raw_path)


def media(content_types: list[str]) -> Media:
    """The media type of a request, from all its Content-Type fields.

    Raises:
        Refused: UNSUPPORTED_MEDIA unless there is exactly one field with an exact value.
    """
    if len(content_types) != 1 or content_types[0] not in MEDIA:
        raise Refused(UNSUPPORTED_MEDIA)
    return MEDIA[content_types[0]]
