# SPDX-License-Identifier: Apache-2.0
"""Every secret of one exchange, derived as its client can, to be searched for in memory."""

from __future__ import annotations

from lab.memscan.forms import Needle
from wire.exchange import request_info
from wire.hpke import kdf, setup_recipient
from wire.kem import Encapsulation
from wire.keyconfig import KeyConfig
from wire.ohttp import Mode, RequestHeader

RESPONSE_KEY = "response key"


def header_of(config: KeyConfig) -> RequestHeader:
    """The header of a request to a key with one suite."""
    (suite,) = config.suites
    return RequestHeader(config.key_id, suite)


def needles(name: str, config: KeyConfig, made: Encapsulation, nonce: bytes) -> list[Needle]:
    """The secrets of a chunked exchange (RFC 9458 §4.4), by their kind."""
    header = header_of(config)
    context = setup_recipient(header.suite, made.shared_secret, request_info(Mode.CHUNKED, header))
    exported = context.export(Mode.CHUNKED.response_label, len(nonce))
    hkdf = kdf(header.suite)
    prk = hkdf.extract(made.enc + nonce, exported)
    found = {
        "shared secret": made.shared_secret,
        "exported secret": exported,
        "prk": prk,
        RESPONSE_KEY: hkdf.expand(prk, b"key", header.suite.key_bytes),
    }
    return [Needle(name, form, secret) for form, secret in found.items()]
