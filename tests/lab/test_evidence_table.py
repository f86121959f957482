# SPDX-License-Identifier: Apache-2.0
"""The table of real evidence: what tests/vectors holds of it gives the rows that stand in docs.

The directory that docs/evidence.md was made from is not in the repository. Its items are, most of
them; they are laid out here as they lie there, with the verdicts that their manifests repeat.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from lab.evidence_table.__main__ import DOCUMENT, collect, main
from lab.evidence_table.row import Row
from tests.attest.snp import evidence as snp
from tests.attest.tdx import evidence as tdx

VECTORS = Path(__file__).parents[1] / "vectors"
AZURE = {"milan-v2": "snp-trustee-v0", "milan-v3": "snp-trustee-v1", "tdx": "tdx-trustee"}
PEM = "-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n"
# What another name has there: quotes of SGX are no vectors of ours.
QUOTES = {"qvl-sample": "qvl-sample/tdx/quote.dat"}
ABSENT = (
    *("amd/roots/", "intel/roots/", "intel/collateral/", "intel/sgx-v3-phala/"),
    *("intel/v4-phala/collateral.json", "intel/v4-phala-outdated/collateral.json"),
)


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def lay_out_amd(folder: Path) -> None:
    rows: list[dict[str, Any]] = []
    for sample in snp.samples():
        name = "azure/snp-trustee-v1" if "azure" in sample.name else f"amd/{sample.name}"
        report = "report_or_tdreport.bin" if "azure" in sample.name else "report.bin"
        put(folder / name / report, sample.report)
        put(folder / name / "vek.der", sample.endorsements.vek)
        told = sample.expected
        rows.append(
            {
                "report": f"{name}/{report}",
                "vek": f"{name}/vek.der",
                "version": told["version"],
                "product_name": "Milan-B0"
                if told["line"] == "Milan" and told["key"] == "vcek"
                else told["line"],
                "vek_kind": f"SEV-{told['key'].upper()}",
                "verdict": told["verdict"],
            }
        )
    put(folder / "amd" / "expected.json", json.dumps(rows).encode())
    for line in ("milan", "genoa"):
        put(folder / "amd" / "crl" / f"{line}_crl.der", snp.load(f"crl/{line}.der"))
    for kind in ("legacy", "new"):
        bad = folder / "negative" / "amd" / f"trustee-test-vcek-invalid-{kind}.der"
        put(bad, snp.load(f"bad-vek/{kind}.der"))
    alone = base64.encodebytes(snp.load("turin-virtee-vcek/vek.der")).decode()
    put(folder / "amd" / "turin-virtee-vcek-only" / "vcek.der", PEM.format(alone).encode())
    for name, there in AZURE.items():
        for path in sorted((VECTORS / "azure-hcl" / name).iterdir()):
            names = {"hcl.bin": "hcl_report.bin", "chain.pem": "vcek.pem", "vek.der": "vcek.der"}
            put(folder / "azure" / there / names[path.name], path.read_bytes())


def lay_out_intel(folder: Path) -> None:
    rows: list[dict[str, Any]] = []
    for told in tdx.MANIFEST["quotes"]:
        name = Path(told["quote"]).stem
        there = "intel/" + QUOTES.get(name, f"{name}/quote.bin")
        put(folder / there, tdx.load(told["quote"]))
        rows.append(told | {"quote": there, "tee_type": "0x81"})
    put(folder / "intel" / "expected.json", json.dumps(rows).encode())
    for bundle in tdx.bundles().values():
        told = bundle.expected
        written = {
            "quote": f"intel/{Path(told['quote']).stem}/quote.bin",
            "now_iso": told["at"],
            "expected_status_intel": told["status"],
            "advisory_ids": told["advisories"],
            "collateral": json.loads(bundle.collateral),
        }
        data = json.dumps(written, ensure_ascii=False).encode()
        put(folder / "intel" / "bundles" / f"{bundle.name}.json", data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evidence directory, as far as the vectors go."""
    made = tmp_path_factory.mktemp("evidence")
    lay_out_amd(made)
    lay_out_intel(made)
    return made


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[Row]:
    return [row for rows in collect(folder).values() for row in rows]


def documented() -> list[str]:
    text = DOCUMENT.read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.startswith("| `")]


def absent(line: str) -> bool:
    """Whether a row of the document is of an item that the vectors do not hold."""
    item = line.split("`")[1]
    if item.startswith("intel/qvl-sample/"):
        return item != "intel/qvl-sample/tdx/quote.dat"
    # Of one Azure guest the vectors hold the HCL report alone, with the report inside.
    return item == "azure/snp-trustee-v0/report_or_tdreport.bin" or item.startswith(ABSENT)


def test_every_verdict_is_the_expected_one(rows: list[Row]) -> None:
    assert [row.line for row in rows if not row.agrees] == []


def test_the_rows_of_the_vectors_are_the_documents_own(rows: list[Row]) -> None:
    here = {row.line for row in rows}
    there = {line for line in documented() if not absent(line)}
    assert here == there


def test_no_row_of_the_document_disagrees() -> None:
    lines = documented()
    assert len(lines) >= 50
    assert [line for line in lines if not line.endswith("| yes |")] == []


def test_the_command_fails_on_a_verdict_that_is_not_the_expected_one(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = tmp_path / "evidence"
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            put(changed / path.relative_to(folder), path.read_bytes())
    report = changed / "amd" / "milan-virtee" / "report.bin"
    data = bytearray(report.read_bytes())
    data[0x90] ^= 1
    report.write_bytes(data)
    assert main([str(changed)]) == 1
    told = capsys.readouterr()
    assert "not as expected: | `amd/milan-virtee/report.bin`" in told.err
    assert "report-signature-invalid" in told.err


def test_the_command_tells_when_the_document_says_something_else(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder), "--check"]) == 1
    assert "evidence.md says something else" in capsys.readouterr().err
