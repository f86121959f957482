# SPDX-License-Identifier: Apache-2.0
"""Canonical JSON (RFC 8785) for what machines write: statements, evidence, receipts.

A document is accepted only if it is the very bytes that writing it again would give. That one
comparison refuses duplicate keys, other key orders, spaces, other escapes and other numbers.
"""

from __future__ import annotations

import codecs
import json
from typing import Any, NoReturn

import rfc8785

from attest.errors import FormatError

# rfc8785 sorts keys by UTF-16, whose codec Python imports at its first use. A process that gave up
# its files before that has it because of this line.
codecs.lookup("utf-16-be")


def write_canonical(value: Any) -> bytes:
    """The one serialisation of nested dicts, lists, text, integers, booleans and None."""
    return rfc8785.dumps(value)


def read_canonical(data: bytes, what: str, most: int) -> Any:
    """Read one canonical document of at most ``most`` bytes.

    Raises:
        FormatError: not JSON, not canonical, or too long.
    """
    if len(data) > most:
        raise FormatError(what, most, f"wanted at most {most} bytes, got {len(data)}")
    try:
        value = json.loads(data.decode("utf-8"), parse_float=_refuse, parse_constant=_refuse)
        again = rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:
        raise FormatError(what, None, "not JSON") from error
    if again != data:
        raise FormatError(what, None, "not canonical JSON (RFC 8785)")
    return value


def _refuse(number: str) -> NoReturn:
    raise ValueError("not an integer: " + number[:32])
