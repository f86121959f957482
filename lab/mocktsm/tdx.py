# SPDX-License-Identifier: Apache-2.0
"""A mock TDX platform with one TD on it: its quotes, and the collateral that endorses them.

Everything follows from the constructor's arguments: the same seed gives the same provisioning
certification key (PCK) and, for the same request, the same quote, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from attest.tdx.certificate import PCK_NAME
from lab.mocktsm.intel_collateral import collateral_members
from lab.mocktsm.intel_pki import Life, PckValues, Signer, pck_certificate
from lab.mocktsm.tdx_quote import MOCK_MRTD, MOCK_RTMRS, pck_chain, quote

Parts = dict[str, Any]

# The body that quotes of a version have on real platforms today; version 5 says which it has.
BODY_TYPE = {4: 2, 5: 3}


class MockTdx:
    """One mock platform with one TD on it.

    Args:
        version: of the quote.
        seed: names the platform; another seed is another platform with another PCK.
        mrtd: the TD's measurement at launch.
        rtmrs: its four registers.
    """

    def __init__(
        self,
        *,
        version: int = 4,
        seed: str = "sealroom",
        mrtd: bytes = MOCK_MRTD,
        rtmrs: tuple[bytes, ...] = MOCK_RTMRS,
    ) -> None:
        if version not in BODY_TYPE:
            raise ValueError(f"no quote version {version}")
        self.version = version
        self.body_type = BODY_TYPE[version]
        self.seed = seed
        self.mrtd = mrtd
        self.rtmrs = rtmrs
        self.pck = Signer(PCK_NAME, f"PCK {seed}")
        self.ppid = hashlib.shake_256(f"PPID {seed}".encode()).digest(16)

    @property
    def measurement(self) -> bytes:
        """The TD's MRTD."""
        return self.mrtd

    def certificate(self, **changes: Any) -> bytes:
        """The PCK certificate; ``changes`` are arguments of `pck_certificate`."""
        return pck_certificate(PckValues(ppid=self.ppid), **({"subject": self.pck} | changes))

    def quote(self, report_data: bytes, changes: Mapping[str, Any] | None = None) -> bytes:
        """A signed quote over 64 bytes; ``changes`` are arguments of `lab.mocktsm.tdx_quote.quote`.

        Fields in ``changes["body"]`` come on top of this TD's own.
        """
        given = dict(changes or {})
        own: dict[str, int | bytes] = {"report_data": report_data, "mrtd": self.mrtd}
        own |= {f"rtmr{n}": rtmr for n, rtmr in enumerate(self.rtmrs)}
        parts: Parts = {
            "version": self.version,
            "body_type": self.body_type,
            "pck": self.pck,
            "attestation": f"attestation key {self.seed}",
        }
        if "chain" not in given:
            parts["chain"] = pck_chain(self.certificate())
        return quote(**(parts | given | {"body": own | given.get("body", {})}))

    def collateral(self, life: Life, changes: Mapping[str, Any] | None = None) -> bytes:
        """QuoteCollateralV3 for this platform, in force during ``life``.

        Args:
            life: when lists and documents were issued, and when the next are due.
            changes: arguments of `lab.mocktsm.intel_collateral.collateral_members`.
        """
        return json.dumps(collateral_members(life=life, **(changes or {}))).encode("ascii")
