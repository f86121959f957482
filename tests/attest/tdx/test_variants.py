# SPDX-License-Identifier: Apache-2.0
"""Genuine forms that no item of the real evidence has: each must be accepted like the usual one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from attest.result import Notice
from attest.tdx.quote import QUOTE_MAX_BYTES
from lab.mocktsm.intel_collateral import collateral, qe_identity, tcb_info
from lab.mocktsm.intel_pki import (
    PROCESSOR_CA,
    PckValues,
    crl,
    pck_ca_certificate,
    pck_certificate,
    pem,
    root_certificate,
)
from lab.mocktsm.tdx_quote import pck_chain, quote
from tests.attest.tdx.case import TdxCase, quoted


def test_a_platform_with_one_package_has_the_other_ca() -> None:
    """Its PCK has no platform instance and no configuration, and another CA revokes it."""
    values = replace(PckValues(), instance=None)
    ca = pck_ca_certificate(PROCESSOR_CA)
    case = TdxCase(
        quote=quote(chain=pck_chain(pck_certificate(values, ca=PROCESSOR_CA), ca)),
        collateral=collateral(
            pck_crl_issuer_chain=pem(ca, root_certificate()), pck_crl=crl(PROCESSOR_CA).hex()
        ),
    )
    assert case.verify().notes == ()


@pytest.mark.parametrize("size", [0, 1, 31, 64, 4096])
def test_the_quoting_enclave_may_hash_any_number_of_bytes_with_its_key(size: int) -> None:
    assert quoted(auth_data=bytes(size)).verify().notes == ()


def test_a_quote_may_come_in_a_buffer_of_zeros() -> None:
    data = quote()
    padded = TdxCase(quote=data.ljust(QUOTE_MAX_BYTES, b"\x00"))
    assert padded.verify().notes == TdxCase(quote=data).verify().notes == ()


def test_what_follows_a_quote_is_told_where_a_policy_lets_it() -> None:
    case = quoted(after=b"\x00\x01").under(trailing_bytes=True)
    assert [note.notice for note in case.verify().notes] == [Notice.TRAILING_BYTES]


def test_hexadecimal_of_either_case_is_read() -> None:
    """Intel writes FMSPC, masks and MRSIGNER in one case one day and in the other the next."""
    fmspc = PckValues().fmspc.hex()
    for told in (fmspc.lower(), fmspc.upper()):
        case = TdxCase(collateral=collateral(tcb=tcb_info(fmspc=told)))
        assert case.verify().product_line == f"FMSPC {fmspc}"
    masked = qe_identity(attributesMask="fbffffffffffffff0000000000000000")
    assert TdxCase(collateral=collateral(qe=masked)).verify().notes == ()


def test_a_document_may_have_members_that_nobody_reads_here() -> None:
    """Categories and types of components came with version 3, and more may come."""
    tcb = tcb_info(intelDocID=["INTEL-DOC-10001"])
    assert TdxCase(collateral=collateral(tcb=tcb)).verify().notes == ()
