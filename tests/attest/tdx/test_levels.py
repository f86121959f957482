# SPDX-License-Identifier: Apache-2.0
"""The levels of Intel's documents: highest first whatever the document's order, each of them once.

Intel's library keeps them in such an order (TcbLevel, IdentityTcbLevel) and refuses a level twice.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from attest import FormatError
from attest.tdx.tcb_info import parse_qe_identity, parse_tcb_info
from lab.mocktsm.intel_collateral import (
    DATE,
    OLD_DATE,
    level,
    module,
    platform_tcb,
    qe_identity,
    tcb_info,
)

LOW, HIGH = bytes([2] * 16), bytes([3] * 16)


def reversed_lists(text: str) -> bytes:
    """The document with its levels in the opposite order."""
    document = json.loads(text)
    for owner in (document, *document.get("tdxModuleIdentities", ())):
        owner["tcbLevels"].reverse()
    return json.dumps(document).encode()


def test_the_order_of_levels_in_a_document_means_nothing() -> None:
    assert parse_tcb_info(reversed_lists(tcb_info())) == parse_tcb_info(tcb_info().encode())
    identity = qe_identity()
    assert parse_qe_identity(reversed_lists(identity)) == parse_qe_identity(identity.encode())


def test_the_processor_counts_before_the_enclave_and_that_before_the_module() -> None:
    order = [(HIGH, 12, LOW), (LOW, 14, LOW), (LOW, 13, HIGH), (LOW, 13, LOW)]
    levels = [level("UpToDate", DATE, platform_tcb(sgx, tdx, pce)) for sgx, pce, tdx in order]
    found = parse_tcb_info(tcb_info(tcbLevels=levels[::-1]).encode()).levels
    assert [(x.sgx, x.pce_svn, x.tdx) for x in found] == order


def test_of_two_levels_with_one_version_the_later_is_first() -> None:
    twice = [level("UpToDate", OLD_DATE, {"isvsvn": 8}), level("OutOfDate", DATE, {"isvsvn": 8})]
    found = parse_qe_identity(qe_identity(tcbLevels=twice).encode()).levels
    assert [x.rating.status for x in found] == ["OutOfDate", "UpToDate"]


PLATFORM = platform_tcb(HIGH, HIGH, 13)
PART: dict[str, Any] = {"isvsvn": 8}


@pytest.mark.parametrize(
    ("name", "changes", "tcb", "statuses"),
    [
        ("platform", "tcbLevels", PLATFORM, ("UpToDate", "OutOfDate")),
        ("module", "tdxModuleIdentities", PART, ("UpToDate", "OutOfDate")),
        ("enclave", "tcbLevels", PART, ("UpToDate", "UpToDate")),
    ],
)
def test_a_level_that_stands_twice_is_refused(
    name: str, changes: str, tcb: dict[str, Any], statuses: tuple[str, str]
) -> None:
    levels = [level(status, DATE, tcb) for status in statuses]
    members = {changes: [module("TDX_01", *levels)] if name == "module" else levels}
    with pytest.raises(FormatError, match="tcb: stands twice"):
        if name == "enclave":
            parse_qe_identity(qe_identity(**members).encode())
        else:
            parse_tcb_info(tcb_info(**members).encode())


@pytest.mark.parametrize("levels", [[], None])
def test_a_document_has_a_level(levels: list[Any] | None) -> None:
    with pytest.raises(FormatError, match="tcbLevels: wanted at least one level"):
        parse_tcb_info(tcb_info(tcbLevels=levels).encode())
    with pytest.raises(FormatError, match="tcbLevels: wanted at least one level"):
        parse_qe_identity(qe_identity(tcbLevels=levels).encode())
