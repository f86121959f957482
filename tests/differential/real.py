# SPDX-License-Identifier: Apache-2.0
"""Real evidence: each as it was sent, and each with everything that belongs to another.

It comes from tests/vectors, and from a folder laid out as the evidence collection is: it has
``amd/expected.json``, ``intel/expected.json`` and ``intel/bundles``. What stands in both counts
once.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.attest.snp import evidence as snp_evidence
from tests.attest.tdx import evidence as tdx_evidence
from tests.differential.items import Item, Origin, SnpItem, TdxItem

# The report of an Azure machine lies in its HCL report, after 32 bytes.
AZURE = Path(__file__).parents[1] / "vectors" / "azure-hcl" / "milan-v2"
AZURE_REPORT = slice(32, 32 + 1184)
CRL_TIMES = {"milan": datetime(2025, 10, 1, tzinfo=UTC), "genoa": datetime(2025, 10, 1, tzinfo=UTC)}


def snp_items(folder: Path | None) -> list[SnpItem]:
    """Every report with its own certificate, at a time when that was valid."""
    found = [
        SnpItem(
            name=sample.name,
            origin=Origin.REAL,
            report=sample.report,
            vek=sample.endorsements.vek,
            crl=None,
            now=sample.now,
        )
        for sample in snp_evidence.samples()
    ]
    found.append(
        SnpItem(
            name="azure-hcl-milan-v2",
            origin=Origin.REAL,
            report=(AZURE / "hcl.bin").read_bytes()[AZURE_REPORT],
            vek=der((AZURE / "chain.pem").read_bytes()),
            crl=None,
            now=CRL_TIMES["milan"],
        )
    )
    if folder is not None:
        for row in json.loads((folder / "amd" / "expected.json").read_text()):
            found.append(
                SnpItem(
                    name=Path(row["report"]).parent.name,
                    origin=Origin.REAL,
                    report=(folder / row["report"]).read_bytes(),
                    vek=der((folder / row["vek"]).read_bytes()),
                    crl=None,
                    now=datetime.fromisoformat(row["vek_not_before"]).replace(tzinfo=UTC)
                    + timedelta(days=1),
                )
            )
    return list({(item.report, item.vek): item for item in reversed(found)}.values())[::-1]


def tdx_items(folder: Path | None) -> list[TdxItem]:
    """Every bundle: a quote, its platform's collateral, and a time when that was valid."""
    found = [
        TdxItem(
            name=bundle.name,
            origin=Origin.REAL,
            quote=bundle.quote,
            collateral=bundle.collateral,
            now=bundle.now,
        )
        for bundle in tdx_evidence.bundles().values()
    ]
    if folder is not None:
        for path in sorted((folder / "intel" / "bundles").glob("*.json")):
            bundle = json.loads(path.read_text())
            found.append(
                TdxItem(
                    name=bundle["name"],
                    origin=Origin.REAL,
                    quote=(folder / bundle["quote"]).read_bytes(),
                    collateral=json.dumps(bundle["collateral"]).encode(),
                    now=datetime.fromtimestamp(bundle["now"], UTC),
                )
            )
    return list({item.name: item for item in reversed(found)}.values())[::-1]


def crossed(folder: Path | None) -> Iterator[Item]:
    """What belongs to another: certificates, CRLs, collateral, and bad certificates as they are."""
    reports, bundles = snp_items(folder), tdx_items(folder)
    veks = {item.name: item.vek for item in reports}
    veks["turin-virtee-vcek"] = snp_evidence.load("turin-virtee-vcek/vek.der")
    veks |= {f"bad-{n}": snp_evidence.load(f"bad-vek/{n}.der") for n in ("legacy", "new")}
    for item in reports:
        for name, vek in veks.items():
            if vek != item.vek:
                yield _snp(item, f"{item.name} with the VEK of {name}", vek=vek)
        for line, now in CRL_TIMES.items():
            crl = snp_evidence.load(f"crl/{line}.der")
            yield _snp(item, f"{item.name} with the CRL of {line}", crl=crl)
            yield _snp(item, f"{item.name} with the CRL of {line}, in force", crl=crl, now=now)
    for name, quote in _quotes(folder, bundles).items():
        for bundle in bundles:
            if quote != bundle.quote:
                yield TdxItem(
                    name=f"{name} with the collateral of {bundle.name}",
                    origin=Origin.CROSSED,
                    quote=quote,
                    collateral=bundle.collateral,
                    now=bundle.now,
                )


def _snp(
    item: SnpItem,
    name: str,
    vek: bytes | None = None,
    crl: bytes | None = None,
    now: datetime | None = None,
) -> SnpItem:
    return SnpItem(
        name=name,
        origin=Origin.CROSSED,
        report=item.report,
        vek=vek or item.vek,
        crl=crl,
        now=now or item.now,
    )


def _quotes(folder: Path | None, bundles: list[TdxItem]) -> dict[str, bytes]:
    found = {item.name: item.quote for item in bundles}
    for row in tdx_evidence.MANIFEST["quotes"]:
        found[Path(row["quote"]).stem] = tdx_evidence.load(row["quote"])
    if folder is not None:
        for row in json.loads((folder / "intel" / "expected.json").read_text()):
            found[Path(row["quote"]).parent.name] = (folder / row["quote"]).read_bytes()
    return {name: quote for quote, name in {quote: name for name, quote in found.items()}.items()}


def der(data: bytes) -> bytes:
    """The first certificate of a file that may be PEM."""
    if not data.startswith(b"-----BEGIN"):
        return data
    body = data.split(b"-----")[2]
    return base64.b64decode(b"".join(body.split()))
