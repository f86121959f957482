# SPDX-License-Identifier: Apache-2.0
"""Endorsements: what vouches for a report and did not come from the hardware (RFC 9334 §4).

They are stapled to evidence (`attest.evidence`), and they travel alone as a bundle, one RFC 8785
JSON object of format "sealroom-endorsements/1": what an operator gives a guest to staple. Roots and
intermediate certificates of SEV-SNP are never in them: those are the verifier's own. Whoever hands
a bundle on is not believed: every part of it is signed by AMD or by Intel, or refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from attest.canonical import read_canonical, write_canonical
from attest.closed import Notation, read_record, write_record
from attest.errors import FormatError
from attest.limits import CERTIFICATE_MAX_BYTES, CRL_MAX_BYTES
from attest.scalars import Base64Url
from attest.statement import Platform

ENDORSEMENTS_MAX_BYTES = 196608
COLLATERAL_MAX_BYTES = 131072

_FORMAT: Literal["sealroom-endorsements/1"] = "sealroom-endorsements/1"
_WHAT = "endorsements"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpEndorsements:
    """The certificate of the key that signed the report (VCEK or VLEK), and AMD's CRL; both DER."""

    vek: Annotated[bytes, Base64Url(CERTIFICATE_MAX_BYTES)]
    crl: Annotated[bytes, Base64Url(CRL_MAX_BYTES)] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TdxEndorsements:
    """Intel's collateral in the common QuoteCollateralV3 JSON form."""

    collateral: Annotated[bytes, Base64Url(COLLATERAL_MAX_BYTES)]


Endorsements = SnpEndorsements | TdxEndorsements


# A bundle is taken apart as soon as it is read, so it is spared what else a dataclass can.
@dataclass(kw_only=True, eq=False, repr=False)
class _SnpBundle:
    """A whole bundle for an SEV-SNP guest."""

    format: Literal["sealroom-endorsements/1"] = _FORMAT
    platform: Literal[Platform.SEV_SNP] = Platform.SEV_SNP
    endorsements: SnpEndorsements


@dataclass(kw_only=True, eq=False, repr=False)
class _TdxBundle:
    """A whole bundle for a TDX guest."""

    format: Literal["sealroom-endorsements/1"] = _FORMAT
    platform: Literal[Platform.TDX] = Platform.TDX
    endorsements: TdxEndorsements


_BUNDLES: dict[str, type[_SnpBundle] | type[_TdxBundle]] = {
    Platform.SEV_SNP: _SnpBundle,
    Platform.TDX: _TdxBundle,
}


def write_endorsements(endorsements: Endorsements) -> bytes:
    """The bundle's bytes.

    Raises:
        ValueError: a part is empty or too long.
    """
    bundle: _SnpBundle | _TdxBundle
    if isinstance(endorsements, SnpEndorsements):
        bundle = _SnpBundle(endorsements=endorsements)
    else:
        bundle = _TdxBundle(endorsements=endorsements)
    data = write_canonical(write_record(bundle, Notation.JSON))
    try:
        parse_endorsements(data)
    except FormatError as error:
        raise ValueError(str(error)) from error
    return data


def parse_endorsements(data: bytes) -> Endorsements:
    """Read a bundle. Nothing in it is believed.

    Raises:
        FormatError: not the canonical bytes of one bundle.
    """
    value = read_canonical(data, _WHAT, ENDORSEMENTS_MAX_BYTES)
    platform = value.get("platform") if isinstance(value, dict) else None
    if not isinstance(platform, str) or platform not in _BUNDLES:
        raise FormatError(_WHAT, None, f"wanted a platform of {' or '.join(_BUNDLES)}")
    return read_record(_BUNDLES[platform], value, _WHAT, Notation.JSON).endorsements
