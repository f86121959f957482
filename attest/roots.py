# SPDX-License-Identifier: Apache-2.0
"""Roots of trust: whom a verifier believes. Always an explicit argument of `attest.verify.verify`.

`amd_roots` and `intel_roots` are the production roots pinned in this package, `pinned_roots` both
together. Any other roots, such as those of a mock platform, are just other roots: evidence that
leads to them is worth nothing under the pinned ones, and the other way round.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache
from typing import Annotated

from attest.closed import read_record, write_record
from attest.errors import FormatError
from attest.scalars import Base64
from attest.snp.amd_certificates import CERTIFICATES
from attest.snp.product import ProductLine
from attest.snp.roots import AmdRoot, load_root
from attest.tdx.intel_certificate import ROOT
from attest.tdx.roots import IntelRoot, load_intel_root
from attest.x509 import CERTIFICATE_MAX_BYTES

ROOTS_MAX = 8

_Der = Annotated[bytes, Base64(CERTIFICATE_MAX_BYTES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """The authorities that a verifier believes, platform by platform."""

    amd: tuple[AmdRoot, ...]
    intel: tuple[IntelRoot, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _RootRecord:
    """How one AMD root is written in a trust file: DER in base64."""

    line: ProductLine
    ark: _Der
    ask: _Der
    asvk: _Der | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _IntelRecord:
    """How one Intel root is written in a trust file."""

    intel: _Der


@cache
def amd_roots() -> Roots:
    """The pinned production roots of AMD: Milan, Genoa, Turin."""
    loaded: list[AmdRoot] = []
    for line, texts in CERTIFICATES.items():
        ark, ask, asvk = map(base64.b64decode, texts)
        loaded.append(load_root(line, ark=ark, ask=ask, asvk=asvk))
    return Roots(amd=tuple(loaded))


@cache
def intel_roots() -> Roots:
    """The pinned production root of Intel."""
    return Roots(amd=(), intel=(load_intel_root(base64.b64decode(ROOT)),))


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
            intel.append(load_intel_root(read_record(_IntelRecord, item, what).intel))
        else:
            r = read_record(_RootRecord, item, what)
            amd.append(load_root(r.line, ark=r.ark, ask=r.ask, asvk=r.asvk))
    return Roots(amd=tuple(amd), intel=tuple(intel))


def write_roots(roots: Roots) -> list[dict[str, str]]:
    """The form that `read_roots` reads."""
    return [
        write_record(
            _RootRecord(
                line=root.line,
                ark=root.ark.certificate.der,
                ask=root.ask.certificate.der,
                asvk=None if root.asvk is None else root.asvk.certificate.der,
            )
        )
        for root in roots.amd
    ] + [write_record(_IntelRecord(intel=root.der)) for root in roots.intel]
