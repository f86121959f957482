# SPDX-License-Identifier: Apache-2.0
"""What Linux's tdx-guest driver does for a report: have the host's quoting enclave make a quote."""

from __future__ import annotations

from lab.mocktsm.fault_plan import FaultPlan
from lab.mocktsm.faults import FaultKind
from lab.mocktsm.tdx import MockTdx
from lab.mocktsm.tdx_faults import TDX_FAULTS, TdxFault

# A host fills the buffer it was given as far as it likes; this is what Google's gives, with zeros.
OUTBLOB_BYTES = 8000
SHORT_BYTES = 1024


class TdxGuest:
    """The driver over one mock platform."""

    provider = "tdx_guest"
    attributes: frozenset[str] = frozenset()  # no certificates from the host, no privilege levels
    faults: frozenset[str] = frozenset(FaultKind) - {
        FaultKind.NO_CERTIFICATES,
        FaultKind.WIPED_KEY,
    } | frozenset(TdxFault)

    def __init__(self, platform: MockTdx) -> None:
        self.platform = platform

    def request(self, inblob: bytes, _: int, faults: FaultPlan, /) -> tuple[bytes, bytes]:
        """A quote over ``inblob``; there is no level and nothing comes with it."""
        struck = faults.first(TdxFault)
        changes = {} if struck is None else TDX_FAULTS[struck].quote(self.platform)
        quote = self.platform.quote(inblob, changes)
        if faults.strikes(FaultKind.SHORT_BLOB):
            return quote[:SHORT_BYTES], b""
        return quote.ljust(OUTBLOB_BYTES, b"\x00"), b""
