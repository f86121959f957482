# SPDX-License-Identifier: Apache-2.0
"""The forms a text may be kept in: encodings, escapes, and the numbers a model reads it as.

This file owns the table of forms. Not in it, because no fixed bytes would show them: compressed or
encrypted text, Base64 broken into lines inside the canary, another spelling of the same words.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, quote_plus

FORM_MIN_BYTES: Final = 8
"""Shorter forms would be found by chance in gigabytes."""

_UINT16_MAX: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class Needle:
    """One form of one canary. ``canary`` is its label, which need not be its text."""

    canary: str
    form: str
    data: bytes


def _escaped(text: str, unit: str) -> bytes:
    return "".join(unit.format(byte) for byte in text.encode()).encode("ascii")


def _json_units(text: str, unit: str) -> bytes:
    """Each UTF-16 code unit as JSON's six-character escape (RFC 8259 section 7)."""
    units = struct.unpack(f">{len(text.encode('utf-16-be')) // 2}H", text.encode("utf-16-be"))
    return "".join(unit.format(number) for number in units).encode("ascii")


TEXT_FORMS: Final[dict[str, Callable[[str], bytes]]] = {
    "utf-8": lambda text: text.encode(),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "utf-32-le": lambda text: text.encode("utf-32-le"),
    "utf-32-be": lambda text: text.encode("utf-32-be"),
    "reversed": lambda text: text.encode()[::-1],
    "hex": lambda text: _escaped(text, "{:02x}"),
    "hex-upper": lambda text: _escaped(text, "{:02X}"),
    "hex-spaced": lambda text: _escaped(text, "{:02x} ")[:-1],
    "backslash-x": lambda text: _escaped(text, "\\x{:02x}"),
    "json": lambda text: json.dumps(text)[1:-1].encode("ascii"),
    "json-as-is": lambda text: json.dumps(text, ensure_ascii=False)[1:-1].encode(),
    "json-units": lambda text: _json_units(text, "\\u{:04x}"),
    "json-units-upper": lambda text: _json_units(text, "\\u{:04X}"),
    "percent": lambda text: quote(text, safe="").encode("ascii"),
    "percent-plus": lambda text: quote_plus(text).encode("ascii"),
    "percent-all": lambda text: _escaped(text, "%{:02X}"),
    "percent-all-lower": lambda text: _escaped(text, "%{:02x}"),
    "base64+0": lambda text: _base64(text, 0),
    "base64+1": lambda text: _base64(text, 1),
    "base64+2": lambda text: _base64(text, 2),
    "base64url+0": lambda text: _base64(text, 0, b"-_"),
    "base64url+1": lambda text: _base64(text, 1, b"-_"),
    "base64url+2": lambda text: _base64(text, 2, b"-_"),
}
"""Name of a form to how a text looks in it. A form that is equal to an earlier one is left out."""

TOKEN_FORMS: Final[dict[str, Callable[[Sequence[int]], bytes]]] = {
    "token-ids": lambda ids: struct.pack(f"={len(ids)}i", *ids),
    "token-ids-64": lambda ids: struct.pack(f"={len(ids)}q", *ids),
    "token-ids-16": lambda ids: struct.pack(f"={len(ids)}H", *ids) if _narrow(ids) else b"",
    "token-ids-listed": lambda ids: ",".join(map(str, ids)).encode("ascii"),
    "token-ids-spaced": lambda ids: ", ".join(map(str, ids)).encode("ascii"),
}
"""The same for the token ids of a text, in the order of the text and of this machine's bytes."""


def _base64(text: str, shift: int, extra: bytes = b"+/") -> bytes:
    """The characters that do not depend on what stands around the text, ``shift`` bytes in."""
    padded = b"\0" * shift + text.encode()
    return base64.b64encode(padded, extra)[-(-8 * shift // 6) : len(padded) * 8 // 6]


def _narrow(ids: Sequence[int]) -> bool:
    return all(0 <= number <= _UINT16_MAX for number in ids)


def needles(canary: str, tokens: Sequence[int] = (), *, label: str | None = None) -> list[Needle]:
    """Every form of ``canary`` that is searched for; ``tokens`` are its token ids, if known."""
    forms = {name: form(canary) for name, form in TEXT_FORMS.items()}
    if tokens:
        forms |= {name: form(tokens) for name, form in TOKEN_FORMS.items()}
    found: dict[bytes, Needle] = {}
    for name, data in forms.items():
        if len(data) >= FORM_MIN_BYTES:
            found.setdefault(data, Needle(canary if label is None else label, name, data))
    return list(found.values())
