# SPDX-License-Identifier: Apache-2.0
"""The claims of a quote, its PCK and its collateral, in the words that rules are written in."""

from __future__ import annotations

from dataclasses import dataclass
from operator import and_

from attest.tdx.certificate import Pck
from attest.tdx.policy import TD_ATTRIBUTE_BITS, TdAttribute
from attest.tdx.quote import QeReport, Quote, TdReport10, TdReport15, TdReport15Ex
from attest.tdx.tcb import Evaluation
from attest.tdx.tcb_info import Module, QeIdentity, TcbInfo

_KNOWN_ATTRIBUTES = sum(1 << bit for bit in TD_ATTRIBUTE_BITS.values()) | 0xFF


@dataclass(frozen=True, slots=True)
class Claims:
    """What rules look at: quote, PCK, Intel's documents, and what they come to together."""

    quote: Quote
    pck: Pck
    tcb_info: TcbInfo
    qe_identity: QeIdentity
    evaluation: Evaluation

    @property
    def body(self) -> TdReport10:
        """The TD report."""
        return self.quote.body

    @property
    def qe(self) -> QeReport:
        """The quoting enclave's report."""
        return self.quote.qe_report

    @property
    def module(self) -> Module:
        """The TDX module as Intel describes it; that of version 0 stands in for an unknown one."""
        return self.evaluation.launch.module or self.tcb_info.module

    @property
    def module_versions(self) -> str:
        """The module's version at launch and, where the quote tells, by now; for people."""
        svns = [self.body.tee_tcb_svn]
        if isinstance(self.body, TdReport15):
            svns.append(self.body.tee_tcb_svn2)
        return " then ".join(f"version {svn[1]} SVN {svn[0]}" for svn in svns)

    @property
    def attributes(self) -> int:
        """TDATTRIBUTES."""
        return int.from_bytes(self.body.td_attributes, "little")

    @property
    def named_attributes(self) -> frozenset[TdAttribute]:
        """The attributes that have a name here."""
        attributes = self.attributes
        return frozenset(a for a, bit in TD_ATTRIBUTE_BITS.items() if attributes >> bit & 1)

    @property
    def unknown_attributes(self) -> int:
        """The bits that have none, those for debugging aside."""
        return self.attributes & ~_KNOWN_ATTRIBUTES

    @property
    def debuggable(self) -> dict[str, str]:
        """The TDs with a bit of the debug class (TUD), by what they are; normally none."""
        attributes = {"TD": self.body.td_attributes}
        if isinstance(self.body, TdReport15Ex):
            attributes["first service TD"] = self.body.init_service_td_attributes
            attributes["service TD"] = self.body.service_td_attributes
        return {name: value.hex() for name, value in attributes.items() if value[0]}

    @property
    def service_tds(self) -> frozenset[bytes]:
        """What may act on the TD from outside; zeros for nothing."""
        if isinstance(self.body, TdReport15Ex):
            return frozenset(
                {self.body.mrservicetd, self.body.init_service_td, self.body.service_td}
            )
        return frozenset({self.body.mrservicetd} if isinstance(self.body, TdReport15) else ())

    @property
    def devices(self) -> frozenset[bytes]:
        """Digest of the devices assigned to the TD, where the quote tells."""
        return frozenset({self.body.devices} if isinstance(self.body, TdReport15Ex) else ())

    @property
    def rtmrs(self) -> tuple[bytes, ...]:
        """The four registers that are extended at run time."""
        return self.body.rtmr0, self.body.rtmr1, self.body.rtmr2, self.body.rtmr3

    @property
    def evaluations(self) -> tuple[int, int]:
        """The tcbEvaluationDataNumber of TCB information and of QE identity."""
        return self.tcb_info.issue.evaluation, self.qe_identity.issue.evaluation

    @property
    def tcb(self) -> str:
        """The platform's security versions and Intel's rating of them, for people."""
        rating, date = self.evaluation.status, self.evaluation.date
        rated = "not rated" if rating is None or date is None else f"{rating} of {date:%Y-%m-%d}"
        svns = f"CPU {self.pck.cpu_svns.hex()}, PCE {self.pck.pce_svn}"
        return f"{rated}; {svns}, TDX {self.body.tee_tcb_svn.hex()}, QE {self.qe.isvsvn}"


def masked(value: bytes, mask: bytes) -> bytes:
    """The bits of ``value`` that ``mask`` has; both of one length."""
    return bytes(map(and_, value, mask))
