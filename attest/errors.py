# SPDX-License-Identifier: Apache-2.0
"""Every exception that `attest` raises on purpose.

`AttestError` is the base of all of them. A parser raises `FormatError`; a verification raises
`attest.findings.Refused`. `ValueError` and `TypeError` mean a mistake of the calling program.
"""

from __future__ import annotations


class AttestError(Exception):
    """Base class. Catch it to catch them all."""


class FormatError(AttestError):
    """Bytes or values from outside do not follow their specification.

    Attributes:
        what: the structure, or for a record the path to the field.
        offset: where in the input, in bytes; None when the input is not bytes.
        problem: what was wanted and what came.
    """

    def __init__(self, what: str, offset: int | None, problem: str) -> None:
        where = "" if offset is None else f" at byte 0x{offset:x}"
        super().__init__(f"{what}: {problem}{where}")
        self.what = what
        self.offset = offset
        self.problem = problem


class UnsupportedError(FormatError):
    """The input is of a version that this code does not know and does not guess."""


class ReceiptError(AttestError):
    """A receipt is not signed by the key that the attested statement names."""
