# SPDX-License-Identifier: Apache-2.0
"""Roots of trust: whom a verifier believes. Always an explicit argument of `attest.verify.verify`.

`amd_roots` and `intel_roots` are the production roots pinned in this package, `pinned_roots` both
together. Any other roots, such as those of a mock platform, are just other roots: evidence that
leads to them is worth nothing under the pinned ones, and the other way round.

What reads a platform's certificates is imported with its first root, as `attest.verify` does with
the first evidence.
"""
# ruff: noqa: PLC0415 - an import inside a function is what the last sentence above is about.

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from attest.errors import FormatError

if TYPE_CHECKING:
    from attest.snp.roots import AmdRoot
    from attest.tdx.roots import IntelRoot

ROOTS_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """The authorities that a verifier believes, platform by platform."""

    amd: tuple[AmdRoot, ...]
    intel: tuple[IntelRoot, ...] = ()


@cache
def amd_roots() -> Roots:
    """The pinned production roots of AMD: Milan, Genoa, Turin."""
    from attest.snp import roots as snp

    return Roots(amd=snp.pinned_roots())


@cache
def intel_roots() -> Roots:
    """The pinned production root of Intel."""
    from attest.tdx import roots as tdx

    return Roots(amd=(), intel=(tdx.pinned_root(),))


@cache
def pinned_roots() -> Roots:
    """The pinned production roots of both."""
    return Roots(amd=amd_roots().amd, intel=intel_roots().intel)


def read_roots(value: object) -> Roots:
    """Read roots from a list of mappings.

    AMD's have ``line``, ``ark``, ``ask`` and ``asvk``; Intel's have ``intel``.

    Raises:
        FormatError: another shape, or certificates that are not a root's.
    """
    if not isinstance(value, list) or not 1 <= len(value) <= ROOTS_MAX:
        raise FormatError("roots", None, f"wanted a list of 1 to {ROOTS_MAX} roots")
    amd: list[AmdRoot] = []
    intel: list[IntelRoot] = []
    for index, item in enumerate(value):
        what = f"roots[{index}]"
        if isinstance(item, dict) and "intel" in item:
            from attest.tdx import roots as tdx

            intel.append(tdx.read_root(item, what))
        else:
            from attest.snp import roots as snp

            amd.append(snp.read_root(item, what))
    return Roots(amd=tuple(amd), intel=tuple(intel))


def write_roots(roots: Roots) -> list[dict[str, Any]]:
    """The form that `read_roots` reads."""
    return [root.record for root in roots.amd] + [root.record for root in roots.intel]
