# SPDX-License-Identifier: Apache-2.0
"""The mock chip: deterministic, marked as a mock, and with the encodings of real certificates."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from attest.snp.certificate import parse_vek
from attest.snp.key_kind import KeyKind
from attest.snp.product import ProductLine
from attest.snp.report import VERSIONS
from attest.snp.tcb import Tcb
from attest.x509 import common_name
from lab.mocktsm import MOCK_MEASUREMENT, MockSnp, mock_roots
from lab.mocktsm.pki import authority_certificates, crl
from tests.attest.snp.evidence import samples

DIGEST = """
import hashlib
from lab.mocktsm import MockSnp
from lab.mocktsm.pki import authority_certificates
chip = MockSnp(line="Turin", version=5, seed="same")
parts = (*authority_certificates(chip.line), chip.certificate, chip.report(bytes(64)))
print(hashlib.sha256(b"".join(parts)).hexdigest())
"""


def test_another_process_mints_the_same_bytes() -> None:
    chip = MockSnp(line="Turin", version=5, seed="same")
    parts = (*authority_certificates(chip.line), chip.certificate, chip.report(bytes(64)))
    other = subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, check=True)
    assert other.stdout.decode().strip() == hashlib.sha256(b"".join(parts)).hexdigest()


def test_another_seed_is_another_chip() -> None:
    one, other = (
        parse_vek(MockSnp(seed="one").certificate),
        parse_vek(MockSnp(seed="2").certificate),
    )
    assert one.hwid != other.hwid
    assert one.public_key != other.public_key


def test_another_tcb_is_another_key() -> None:
    chip = MockSnp()
    older = Tcb(chip.line, bytes(8))
    assert parse_vek(chip.vek(older)).public_key != parse_vek(chip.certificate).public_key
    assert parse_vek(chip.vek(older)).tcb == bytes(8)


@pytest.mark.parametrize("line", list(ProductLine))
def test_every_authority_is_marked(line: str) -> None:
    (root,) = mock_roots(line).amd
    assert root.asvk is not None
    for part in (root.ark, root.ask, root.asvk):
        assert common_name(part.certificate.subject).endswith(" MOCK")
        assert common_name(part.certificate.issuer).endswith(" MOCK")
    assert b"MOCK" in crl(ProductLine(line))


@pytest.mark.parametrize("line", list(ProductLine))
@pytest.mark.parametrize("version", VERSIONS)
def test_a_report_has_its_version(line: str, version: int) -> None:
    if (line, version) == ("Turin", 2):
        with pytest.raises(ValueError, match="Turin"):
            MockSnp(line=line, version=version)
    else:
        report = MockSnp(line=line, version=version).report(bytes(64))
        assert (len(report), report[0]) == (1184, version)


@pytest.mark.parametrize("change", [{"cpuid_family": 1}, {"signature": b""}])
def test_a_version_has_no_other_fields(change: dict[str, int | bytes]) -> None:
    with pytest.raises(ValueError, match="version 2 has no"):
        MockSnp(version=2).report(bytes(64), **change)


def test_a_field_has_its_size() -> None:
    with pytest.raises(ValueError, match="report_data has 63 bytes, not 64"):
        MockSnp().report(bytes(63))


def test_the_mock_measurement_is_of_no_real_guest() -> None:
    assert MOCK_MEASUREMENT.hex() not in {sample.expected["measurement"] for sample in samples()}
    assert MockSnp().report(bytes(64))[0x090:0x0C0] == MOCK_MEASUREMENT


@pytest.mark.parametrize("kind", list(KeyKind))
def test_the_key_that_signs_is_the_one_the_report_names(kind: KeyKind) -> None:
    assert MockSnp(kind=kind).report(bytes(64))[0x048] >> 2 == list(KeyKind).index(kind)
