# SPDX-License-Identifier: Apache-2.0
"""Real evidence, minted again by the mock with its own values, comes out the same."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from attest.layout import Span
from lab.mocktsm import MockSnp
from lab.mocktsm.der import element, integer, oid, sequence
from lab.mocktsm.remint.comparison import compare_bytes, compare_der, leaves
from lab.mocktsm.remint.items import Item, items

VECTORS = Path(__file__).parents[2] / "vectors"
FOLDERS = ("snp-evidence", "tdx-evidence", "azure-hcl")
FOUND = [
    (f"{path.relative_to(VECTORS)}: {item.what}", item)
    for folder in FOLDERS
    for path in sorted((VECTORS / folder).rglob("*"))
    if path.is_file()
    for item in items(path)
]
DISTINCT = list({item.data: (name, item) for name, item in FOUND}.values())


@pytest.mark.parametrize("item", [item for _, item in DISTINCT], ids=[name for name, _ in DISTINCT])
def test_an_item_is_minted_exactly(item: Item) -> None:
    compared = item.remint(item.data)
    assert compared.differences == ()
    assert compared.equal > 0


def test_each_kind_of_evidence_is_among_them() -> None:
    kinds = Counter(item.what for _, item in DISTINCT)
    assert kinds.keys() >= {
        "SEV-SNP report v2",
        "SEV-SNP report v3",
        "SEV-SNP report v5",
        "TDX quote v4, body 2",
        "TDX quote v5, body 3",
        "vcek of Genoa",
        "vcek of Milan",
        "vcek of Turin",
        "vlek of Milan",
        "CRL of ARK-Genoa",
        "CRL of ARK-Milan",
        "Intel SGX PCK Certificate",
        "Intel SGX PCK Platform CA",
        "Intel SGX Root CA",
        "Intel SGX TCB Signing",
        "CRL of Intel SGX PCK Platform CA",
        "CRL of Intel SGX Root CA",
        "TCB information",
        "QE identity",
    }


def test_a_byte_that_is_not_free_may_not_differ() -> None:
    assert compare_bytes(b"abc", b"abd", ()).differences == ("byte 0x2",)
    assert compare_bytes(b"abc", b"abd", (Span(2, 3),)).differences == ()
    assert compare_bytes(b"abc", b"ab", ()).differences == ("2 bytes, not 3",)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (sequence(oid("1.2.3"), integer(8)), "0/1.2.3/1: 0207 became 0208"),
        (sequence(oid("1.2.4"), integer(7)), "0/1.2.3/1 is in one only"),
        (sequence(oid("1.2.3")), "0/1.2.3/1 is in one only"),
        (sequence(oid("1.2.3"), integer(7), integer(7)), "0/1.2.3/2 is in one only"),
    ],
    ids=["value", "oid", "fewer", "more"],
)
def test_a_value_that_is_not_free_may_not_differ(other: bytes, told: str) -> None:
    compared = compare_der(sequence(oid("1.2.3"), integer(7)), other, lambda _: False)
    assert told in compared.differences


def test_a_free_value_may_differ_and_may_not_be_missing() -> None:
    one, other = sequence(integer(1), integer(2)), sequence(integer(1), integer(3))
    assert compare_der(one, other, lambda path: path == ("0", "1")).differences == ()
    assert compare_der(one, sequence(integer(1)), lambda _: True).differences != ()


@pytest.mark.parametrize("der", [b"\x30\x05\x02", b"\x30\x82\x01", sequence(b"\x02\x05\x00")])
def test_what_is_no_der_is_told(der: bytes) -> None:
    with pytest.raises(ValueError, match="beyond"):
        list(leaves(der))


def test_octets_that_mean_themselves_are_not_taken_apart() -> None:
    hwid = sequence(oid("1.3.6.1.4.1.3704.1.4"), element(0x04, integer(1)))
    other = sequence(oid("1.3.6.1.4.1.3704.1.1"), element(0x04, integer(1)))
    assert list(leaves(hwid))[-1] == (("0", "1.3.6.1.4.1.3704.1.4", "1"), b"\x04" + integer(1))
    assert list(leaves(other))[-1] == (("0", "1.3.6.1.4.1.3704.1.1", "1", "0"), b"\x02\x01")


def command(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab.mocktsm.remint", folder],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prints_a_row_for_each_item(tmp_path: Path) -> None:
    (tmp_path / "report").write_bytes(MockSnp(version=4).report(bytes(64)))
    (tmp_path / "notes").write_text("nothing of interest")
    ran = command(tmp_path)
    assert ran.returncode == 0
    assert "| report | SEV-SNP report v4 | 1040 | 144 | none |" in ran.stdout
    assert "Not minted by the mock: notes." in ran.stdout


def test_the_command_fails_over_a_difference(tmp_path: Path) -> None:
    der = (VECTORS / "snp-evidence" / "milan-ms-tav" / "vek.der").read_bytes()
    (tmp_path / "same").write_bytes(der)
    (tmp_path / "other").write_bytes(der.replace(b"Santa Clara", b"Santa Klara"))
    ran = command(tmp_path)
    assert (ran.returncode, "2 items, 1 with differences" in ran.stdout) == (1, True)


def test_the_command_wants_something_to_do(tmp_path: Path) -> None:
    assert command(tmp_path).returncode == 2
