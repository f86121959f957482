# SPDX-License-Identifier: Apache-2.0
"""Intel's root is pinned, a caller's is checked, and both are just roots."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import pytest

from attest import FormatError, Roots, amd_roots
from attest.roots import intel_roots, pinned_roots, read_roots, write_roots
from attest.tdx.roots import Role, load_intel_root
from attest.x509 import parse_certificate
from lab.mocktsm import mock_roots
from lab.mocktsm.intel_pki import (
    OTHER_ROOT,
    PCK,
    ROOT,
    Signer,
    certificate,
    mock_intel_roots,
    pck_ca_certificate,
    root_certificate,
)

INTEL_ROOT_SHA256 = "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"


def test_the_pinned_root_is_intels() -> None:
    (root,) = intel_roots().intel
    assert hashlib.sha256(root.der).hexdigest() == INTEL_ROOT_SHA256
    assert pinned_roots() == Roots(amd=amd_roots().amd, intel=(root,))


@pytest.mark.parametrize(
    "der",
    [
        pck_ca_certificate(),
        certificate(OTHER_ROOT, ROOT, Role.ROOT),
        certificate(ROOT, ROOT, Role.PCK_CA),
        certificate(ROOT, PCK, Role.ROOT),
        root_certificate()[:-1],
        b"",
    ],
)
def test_what_is_no_root_is_refused(der: bytes) -> None:
    with pytest.raises(FormatError):
        load_intel_root(der)


@pytest.mark.parametrize("roots", [pinned_roots(), intel_roots(), mock_intel_roots()])
def test_roots_read_back_what_was_written(roots: Roots) -> None:
    assert read_roots(write_roots(roots)) == roots


def test_roots_of_both_stand_in_one_list() -> None:
    both = write_roots(mock_intel_roots()) + write_roots(mock_roots("Milan"))
    assert read_roots(both) == Roots(amd=mock_roots("Milan").amd, intel=mock_intel_roots().intel)


@pytest.mark.parametrize(
    "value",
    [
        {"intel": "AA=="},
        {"intel": base64.b64encode(root_certificate()).decode(), "line": "Milan"},
        {"intel": base64.b64encode(pck_ca_certificate()).decode()},
    ],
)
def test_another_form_is_refused(value: dict[str, str]) -> None:
    with pytest.raises(FormatError):
        read_roots([value])


def issued(der: bytes, **changes: bytes) -> bool:
    """Whether the mock root issued this certificate, one field of it read as something else."""
    (root,) = mock_intel_roots().intel
    return root.holder.issued(replace(parse_certificate(der), **changes))  # type: ignore[arg-type]


def test_a_certificate_is_issued_under_the_issuers_name() -> None:
    assert issued(pck_ca_certificate())
    assert not issued(pck_ca_certificate(signer=Signer(PCK.name, ROOT.label)))


def test_a_certificate_is_issued_with_ecdsa_and_sha_256() -> None:
    sha_384 = bytes.fromhex("300a06082a8648ce3d040303")
    assert not issued(pck_ca_certificate(), algorithm=sha_384)


def test_a_certificate_is_issued_by_the_issuers_key() -> None:
    assert not issued(pck_ca_certificate(signer=Signer(ROOT.name, "an impostor")))
