# SPDX-License-Identifier: Apache-2.0
"""Certificates and revocation lists in files: DER, or PEM (RFC 7468) with any number of blocks.

Only the envelope is opened here; the DER inside is `attest`'s to read.
"""

from __future__ import annotations

import base64
import binascii
import re

from attest import FormatError

PEM_MAX_BYTES = 128 * 1024
BLOCKS_MAX = 16
CERTIFICATE = "CERTIFICATE"
CRL = "X509 CRL"

_BEGIN = b"-----BEGIN "
_SEQUENCE = b"\x30"  # how DER of a certificate or list begins
_BLOCK = re.compile(
    rb"\s*-----BEGIN ([A-Z0-9 ]{1,32})-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END \1-----\s*"
)


def is_pem(data: bytes) -> bool:
    """Whether the file says that it is PEM. DER never begins so."""
    return data.lstrip().startswith(_BEGIN)


def read_pem(data: bytes, what: str) -> list[tuple[str, bytes]]:
    """The blocks of a PEM file: label and content, in their order.

    Raises:
        FormatError: something else stands between them, too many of them, or no base64.
    """
    if len(data) > PEM_MAX_BYTES:
        raise FormatError(what, PEM_MAX_BYTES, f"wanted at most {PEM_MAX_BYTES} bytes")
    blocks: list[tuple[str, bytes]] = []
    at = 0
    while at < len(data):
        block = _BLOCK.match(data, at)
        if block is None or len(blocks) == BLOCKS_MAX:
            raise FormatError(what, at, f"wanted PEM blocks only, at most {BLOCKS_MAX}")
        try:
            body = base64.b64decode(b"".join(block[2].split()), validate=True)
        except binascii.Error as error:
            raise FormatError(what, block.start(2), "wanted base64") from error
        blocks.append((block[1].decode("ascii"), body))
        at = block.end()
    return blocks


def read_ders(data: bytes, label: str, what: str) -> list[bytes]:
    """What a file of one kind holds: the PEM blocks, which must carry `label`, or one DER.

    Raises:
        FormatError: malformed PEM, text before it, or a block of another kind. DER is not looked
            into.
    """
    if not is_pem(data):
        if _BEGIN in data and not data.startswith(_SEQUENCE):
            raise FormatError(what, 0, "wanted DER, or PEM with nothing before its first block")
        return [data]
    blocks = read_pem(data, what)
    for got, _ in blocks:
        if got != label:
            raise FormatError(what, None, f"wanted {label} blocks, got {got}")
    return [body for _, body in blocks]
