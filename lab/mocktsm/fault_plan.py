# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with a platform, as plain data: which faults, and for how many requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from lab.mocktsm.faults import FaultKind
from lab.mocktsm.snp_faults import SnpFault
from lab.mocktsm.tdx_faults import TdxFault

ALWAYS = "always"

Kind = TypeVar("Kind", bound=StrEnum)

_KNOWN: frozenset[str] = frozenset({*FaultKind, *SnpFault, *TdxFault})


class FaultPlan:
    """How many report requests each fault spoils: a number, or "always".

    Raises:
        ValueError: an unknown fault, or a count that is neither.
    """

    def __init__(self, faults: Mapping[str, int | str]) -> None:
        self._left: dict[str, int | None] = {}
        for name, times in faults.items():
            if name not in _KNOWN:
                raise ValueError(f"no fault {name!r}")
            if times != ALWAYS and (type(times) is not int or times < 0):
                raise ValueError(
                    f"{name}: wanted a number of requests or {ALWAYS!r}, got {times!r}"
                )
            self._left[str(name)] = None if isinstance(times, str) else times

    @property
    def names(self) -> frozenset[str]:
        """The faults that are planned at all."""
        return frozenset(self._left)

    def strikes(self, kind: StrEnum) -> bool:
        """Whether the fault spoils this request; counts it if so."""
        left = self._left.get(kind.value, 0)
        if left is None:
            return True
        if left > 0:
            self._left[kind.value] = left - 1
        return left > 0

    def first(self, kinds: Iterable[Kind]) -> Kind | None:
        """The first of the faults that spoils this request, or None."""
        return next((kind for kind in kinds if self.strikes(kind)), None)
