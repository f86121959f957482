# SPDX-License-Identifier: Apache-2.0
"""The real evidence under tests/vectors/snp-evidence, and a policy made to fit one report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from attest import SnpEndorsements
from attest.snp.key_kind import KeyKind
from attest.snp.policy import (
    NO_CHIP,
    AbiFloor,
    FirmwareFloor,
    Permission,
    ProductPolicy,
    SnpPolicy,
    TcbFloor,
)
from attest.snp.product import ProductLine
from attest.snp.report import parse_report

FOLDER = Path(__file__).parents[2] / "vectors" / "snp-evidence"
MANIFEST: dict[str, Any] = json.loads((FOLDER / "manifest.json").read_text())
NO_FLOOR = TcbFloor(fmc=0, boot_loader=0, tee=0, snp=0, microcode=0)


@dataclass(frozen=True)
class Sample:
    """One real report with its key's certificate and what is expected of it."""

    name: str
    expected: dict[str, Any]
    report: bytes
    endorsements: SnpEndorsements

    @property
    def now(self) -> datetime:
        """A time at which the certificates are valid."""
        return datetime.fromisoformat(self.expected["at"])


def load(name: str) -> bytes:
    """A file among the evidence."""
    return (FOLDER / name).read_bytes()


def samples() -> list[Sample]:
    """Every report of the manifest."""
    found = [
        Sample(
            name=item["name"],
            expected=item,
            report=load(f"{item['name']}/report.bin"),
            endorsements=SnpEndorsements(vek=load(f"{item['name']}/vek.der"), crl=None),
        )
        for item in MANIFEST["expected"]
    ]
    if not found:
        raise ValueError("no evidence found")
    return found


def fitting_policy(sample: Sample) -> SnpPolicy:
    """The policy that accepts this guest at VMPL 0, whatever its firmware."""
    report = parse_report(sample.report)
    line = ProductLine(sample.expected["line"])
    csp_id = sample.expected["csp_id"]
    return SnpPolicy(
        versions=frozenset({report.version}),
        keys=frozenset({KeyKind(sample.expected["key"])}),
        csp_ids=frozenset({csp_id} if csp_id else ()),
        masked_chip_id=False,
        chips=frozenset({report.chip_id}) - {NO_CHIP} or None,
        require_crl=False,
        products=(
            ProductPolicy(
                line=line,
                reported_tcb=NO_FLOOR,
                committed_tcb=NO_FLOOR,
                launch_tcb=NO_FLOOR,
                firmware=FirmwareFloor(major=0, minor=0, build=0),
                mitigations=0,
            ),
        ),
        vmpls=frozenset({0}),
        abi=AbiFloor(major=0, minor=0),
        guest_allows=frozenset({Permission.SMT}),
        guest_requires=frozenset(),
        platform_has=frozenset(),
        platform_lacks=frozenset(),
        guest_svn=0,
        measurements=frozenset({report.measurement}),
        host_data=frozenset({report.host_data}),
        family_ids=frozenset({report.family_id}),
        image_ids=frozenset({report.image_id}),
        id_keys=frozenset({report.id_key_digest}),
        author_keys=frozenset({report.author_key_digest}),
    )
