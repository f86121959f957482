# SPDX-License-Identifier: Apache-2.0
"""The certificate table that a host hands to its guest: auxblob (GHCB specification, SNP_EXT).

Entries of 24 bytes (GUID, offset, length), ended by a zero entry; then what they point to: DER. The
host writes it, so it is a hint where to find a certificate and never a reason to trust one.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from attest.errors import FormatError
from attest.reader import Reader
from attest.snp.claims import KEY_NAMES
from attest.snp.key_kind import KeyKind
from attest.snp.report import parse_report

TABLE_MAX_BYTES = 65536
ENTRIES_MAX = 16
ENTRY_BYTES = 24

VCEK_GUID = UUID("63da758d-e664-4564-adc5-f4b93be8accd")
VLEK_GUID = UUID("a8074bc2-a25a-483e-aae6-39c045a0b8a1")
ASK_GUID = UUID("4ab7b379-bbac-4fe4-a02f-05aef327c782")  # the ASVK's too
ARK_GUID = UUID("c0b406a4-a803-4952-9743-3fb6014cd0ae")
CRL_GUID = UUID("92f81bc3-5811-4d3d-97ff-d19f88dc67ea")

_WHAT = "certificate table"
_END = UUID(int=0)


@dataclass(frozen=True, slots=True)
class CertificateTable:
    """The entries by what the host calls them, and the GUIDs of those unknown here."""

    vcek: bytes | None
    vlek: bytes | None
    ask: bytes | None
    ark: bytes | None
    crl: bytes | None
    unknown: tuple[str, ...]


def parse_certificate_table(data: bytes) -> CertificateTable:
    """Read a certificate table. None at all is written as no bytes, and is well formed.

    Raises:
        FormatError: no end, an entry twice, or one that points outside the certificates' part.
    """
    if len(data) > TABLE_MAX_BYTES:
        raise FormatError(_WHAT, TABLE_MAX_BYTES, f"wanted at most {TABLE_MAX_BYTES} bytes")
    found: dict[UUID, bytes] = {}
    for guid, offset, size in _entries(data):
        if guid in found:
            raise FormatError(_WHAT, offset, f"{guid} stands twice")
        found[guid] = data[offset : offset + size]
    return CertificateTable(
        vcek=found.pop(VCEK_GUID, None),
        vlek=found.pop(VLEK_GUID, None),
        ask=found.pop(ASK_GUID, None),
        ark=found.pop(ARK_GUID, None),
        crl=found.pop(CRL_GUID, None),
        unknown=tuple(map(str, found)),
    )


def vek_for(report: bytes, table: CertificateTable) -> bytes | None:
    """The certificate of the kind of key that the report says it is signed with, or None.

    Raises:
        FormatError: not a report.
    """
    kind = KEY_NAMES.get(parse_report(report).signing_key)
    return {KeyKind.VCEK: table.vcek, KeyKind.VLEK: table.vlek, None: None}[kind]


def _entries(data: bytes) -> list[tuple[UUID, int, int]]:
    reader = Reader(_WHAT, data)
    entries: list[tuple[UUID, int, int]] = []
    while data:
        guid, offset, size = UUID(bytes=reader.take(16)), reader.u32(), reader.u32()
        if guid == _END:
            if offset or size:
                raise reader.error("the last entry is not all zero")
            break
        if len(entries) == ENTRIES_MAX:
            raise reader.error(f"more than {ENTRIES_MAX} entries")
        entries.append((guid, offset, size))
    for _, offset, size in entries:
        if offset < reader.at or offset + size > len(data):
            raise FormatError(_WHAT, offset, f"{size} bytes are not in the certificates' part")
    return entries
