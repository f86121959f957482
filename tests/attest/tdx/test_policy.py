# SPDX-License-Identifier: Apache-2.0
"""The policy for TDX: complete, closed, and of one spelling."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from attest import FormatError, read_policy
from attest.policy import Policy, policy_digest, write_policy
from tests.attest.case import good
from tests.attest.tdx.case import STRICT
from tests.attest.test_policy import changed, paths

POLICY = Policy(snp=None, tdx=STRICT, statement=good().policy.statement)
WRITTEN = write_policy(POLICY)


def test_a_policy_reads_back_as_written() -> None:
    assert read_policy(WRITTEN) == POLICY
    assert WRITTEN["snp"] == "none"
    assert WRITTEN["tdx"]["tcb_date"] == "2024-03-13T00:00:00Z"
    assert WRITTEN["tdx"]["statuses"] == ["UpToDate"]
    assert WRITTEN["tdx"]["xfam"] == "e702060000000000"


@pytest.mark.parametrize(
    "path", [path for path in paths(WRITTEN) if path[0] == "tdx" and len(path) > 1], ids=str
)
def test_no_field_can_be_left_out(path: tuple[str | int, ...]) -> None:
    if not isinstance(path[-1], int):
        with pytest.raises(FormatError, match=f"missing {path[-1]}"):
            read_policy(changed(WRITTEN, path, None))


@pytest.mark.parametrize(
    ("name", "new", "words"),
    [
        *(
            (name, [], f"{name} is empty")
            for name in (
                "versions",
                "body_types",
                "statuses",
                "images",
                "config_ids",
                "owners",
                "owner_configs",
                "seam_modules",
                "ppids",
                "service_tds",
            )
        ),
        ("statuses", ["UpToDate", "Revoked"], "never accepted"),
        ("statuses", ["Fine"], "wanted UpToDate or"),
        ("versions", ["3"], "wanted 4 to 5"),
        ("body_types", ["1"], "wanted 2 to 4"),
        ("body_types", ["4"], "devices is empty"),
        ("td_allows", ["debug"], "wanted icssd or"),
        ("xfam", "e7", "8 bytes"),
        ("tcb_date", "2024-03-13", "does not match"),
        ("debug", "true", "unknown 'debug'"),
    ],
)
def test_a_policy_that_says_nothing_or_contradicts_itself_is_refused(
    name: str, new: Any, words: str
) -> None:
    with pytest.raises(FormatError, match=words):
        read_policy(changed(WRITTEN, ("tdx", name), new))


def test_a_policy_without_any_platform_is_refused() -> None:
    with pytest.raises(FormatError, match="no platform"):
        read_policy(WRITTEN | {"tdx": "none"})


def test_a_policy_for_both_is_another_than_one_for_either() -> None:
    both = Policy(snp=good().policy.snp, tdx=STRICT, statement=POLICY.statement)
    assert read_policy(write_policy(both)) == both
    assert len({policy_digest(p) for p in (both, POLICY, good().policy)}) == 3


def test_service_tds_matter_to_the_bodies_that_have_them_only() -> None:
    old = dataclasses.replace(STRICT, body_types=frozenset({2}), service_tds=frozenset())
    assert old.service_tds == frozenset()
