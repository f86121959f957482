# SPDX-License-Identifier: Apache-2.0
"""Firmware floors: from which security version on an advisory of AMD's no longer applies.

AMD signs no feed of such values, so this table is kept by hand, and it says for each row where the
number was read. It informs (`attest.lint`, `sealroom policy init`, docs/firmware-floors.md) and
decides nothing: a policy's own floors do. Microcode is numbered apart for each processor of a line,
so a row has a number for each that is known. A policy has one floor for the whole line: only the
highest closes the advisory on all of them, and it refuses processors that count lower.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from attest.snp.product import Component, ProductLine

_CCF = "Microsoft CCF: the lowest TCB that it accepts"
_REGISTRY = "atakit, AmdSnpSecurityPolicyRegistry: the mask for Milan, by bulletin"
_REVIEW = "a review of pi-tee that quotes AMD's bulletin as of 2026-10-08"
_COLLATERAL = "a test of SNP collateral that quotes AMD's bulletin of 2026-04-14"
_SENTINEL = "sentinel subnet: its constant for EPYC 7003, from AMD's bulletin of 2026-05"
_SURVEY = "a survey that quotes AMD's bulletin: microcode 0x0A0011D1 and 0x0A001234"


class Processor(NamedTuple):
    """One processor of a line, by its combined CPUID model and its stepping."""

    model: int
    stepping: int


MILAN_B1, MILAN_B2 = Processor(0x01, 1), Processor(0x01, 2)
GENOA_B1, GENOA_B2 = Processor(0x11, 1), Processor(0x11, 2)
TURIN_C1 = Processor(0x02, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What closes one advisory on one line.

    Attributes:
        line: the line of processors.
        advisory: AMD's bulletin.
        cve: the vulnerability.
        name: what its finders call it, or what it is.
        svns: lowest security version of each component but the microcode.
        microcode: lowest security version of the microcode by processor.
        mitigation: number of the bit that both mitigation vectors must have, or None.
        source: where the numbers were read.
        remark: what else to know.
    """

    line: ProductLine
    advisory: str
    cve: str
    name: str
    svns: Mapping[Component, int] = field(default_factory=dict)
    microcode: Mapping[Processor, int] = field(default_factory=dict)
    mitigation: int | None = None
    source: str
    remark: str = ""

    @property
    def references(self) -> tuple[str, str]:
        """The vulnerability and the bulletin."""
        return self.cve, self.advisory

    def on(self, processor: Processor | None) -> dict[Component, int]:
        """The lowest security versions on one processor, or for None those that do on all.

        Of the microcode of a processor that the row does not name, nothing is known.
        """
        counts = [svn for cpu, svn in self.microcode.items() if processor in (None, cpu)]
        return {**self.svns, **({Component.MICROCODE: max(counts)} if counts else {})}


FLOORS: tuple[Floor, ...] = (
    Floor(
        line=ProductLine.MILAN,
        advisory="AMD-SB-3005",
        cve="CVE-2023-20592",
        name="CacheWarp",
        microcode={MILAN_B1: 0xD1, MILAN_B2: 0x34},
        source=_SURVEY,
    ),
    Floor(
        line=ProductLine.MILAN,
        advisory="AMD-SB-3019",
        cve="CVE-2024-56161",
        name="EntrySign",
        svns={Component.SNP: 0x18},
        source=_CCF,
    ),
    Floor(
        line=ProductLine.MILAN,
        advisory="AMD-SB-3020",
        cve="CVE-2025-0033",
        name="RMPocalypse",
        mitigation=1,
        source=_REGISTRY,
    ),
    Floor(
        line=ProductLine.MILAN,
        advisory="AMD-SB-3016",
        cve="CVE-2023-20585",
        name="IOMMU writes into guest memory",
        svns={Component.SNP: 0x1B},
        mitigation=2,
        source=_COLLATERAL,
        remark="the host's system has to be updated too, which the bit shows",
    ),
    Floor(
        line=ProductLine.MILAN,
        advisory="AMD-SB-3030",
        cve="CVE-2025-61971",
        name="BreakFAST",
        svns={Component.SNP: 0x1D},
        mitigation=4,
        source=f"{_SENTINEL}; {_REGISTRY}",
        remark="CVE-2025-61972 belongs to it",
    ),
    Floor(
        line=ProductLine.MILAN,
        advisory="AMD-SB-3034",
        cve="CVE-2025-54510",
        name="Fabricked",
        mitigation=4,
        source=_REGISTRY,
        remark="AMD took the TCB values out of this bulletin on 2026-09-24",
    ),
    Floor(
        line=ProductLine.GENOA,
        advisory="AMD-SB-3019",
        cve="CVE-2024-56161",
        name="EntrySign",
        svns={Component.SNP: 0x17},
        microcode={GENOA_B1: 0x54, GENOA_B2: 0x4F},
        source=f"{_CCF}; {_REVIEW}",
    ),
    Floor(
        line=ProductLine.GENOA,
        advisory="AMD-SB-3020",
        cve="CVE-2025-0033",
        name="RMPocalypse",
        svns={Component.SNP: 0x1B},
        microcode={GENOA_B1: 0x56, GENOA_B2: 0x51},
        source=_REVIEW,
    ),
    Floor(
        line=ProductLine.GENOA,
        advisory="AMD-SB-3027",
        cve="CVE-2025-29943",
        name="StackWarp",
        microcode={GENOA_B1: 0x56, GENOA_B2: 0x51},
        source=_REVIEW,
    ),
    Floor(
        line=ProductLine.GENOA,
        advisory="AMD-SB-3016",
        cve="CVE-2023-20585",
        name="IOMMU writes into guest memory",
        svns={Component.SNP: 0x1B},
        mitigation=2,
        source=_COLLATERAL,
        remark="the host's system has to be updated too, which the bit shows",
    ),
    Floor(
        line=ProductLine.TURIN,
        advisory="AMD-SB-3020",
        cve="CVE-2025-0033",
        name="RMPocalypse",
        svns={Component.SNP: 0x04},
        microcode={TURIN_C1: 0x50},
        source=_REVIEW,
    ),
    Floor(
        line=ProductLine.TURIN,
        advisory="AMD-SB-3027",
        cve="CVE-2025-29943",
        name="StackWarp",
        microcode={TURIN_C1: 0x51},
        source=_REVIEW,
    ),
)


def floors_of(line: ProductLine) -> tuple[Floor, ...]:
    """The rows of one line."""
    return tuple(floor for floor in FLOORS if floor.line is line)


def highest(line: ProductLine) -> dict[Component, int]:
    """The lowest security versions that close every row of the line."""
    found: dict[Component, int] = {}
    for floor in floors_of(line):
        for component, svn in floor.on(None).items():
            found[component] = max(svn, found.get(component, 0))
    return found


def mitigations(line: ProductLine) -> int:
    """The mitigation bits of every row of the line."""
    bits = (floor.mitigation for floor in floors_of(line) if floor.mitigation is not None)
    return sum(1 << bit for bit in set(bits))


def below(
    line: ProductLine, versions: Mapping[Component, int], processor: Processor | None = None
) -> Iterable[Floor]:
    """The rows that these security versions leave open, on one processor or on any of the line."""
    for floor in floors_of(line):
        least = floor.on(processor)
        if any(versions.get(component, 0) < svn for component, svn in least.items()):
            yield floor
