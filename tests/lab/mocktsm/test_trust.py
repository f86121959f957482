# SPDX-License-Identifier: Apache-2.0
"""What a trust file says of a mock guest is what `attest` reads."""

from __future__ import annotations

from typing import Any

import pytest

from attest import read_policy
from attest.snp.key_kind import KeyKind
from attest.statement import Variant
from lab.mocktsm import MockSnp, mock_policy, mock_policy_mapping

DIGESTS: dict[str, Any] = {
    "model": b"\x01" * 32,
    "prompts": b"\x02" * 32,
    "configuration": b"\x03" * 32,
}


@pytest.mark.parametrize("kind", list(KeyKind))
@pytest.mark.parametrize("line", ["Milan", "Genoa", "Turin"])
def test_the_mapping_reads_as_the_policy(line: str, kind: KeyKind) -> None:
    chip = MockSnp(line=line, version=5, kind=kind)
    policy = mock_policy(platform=chip, max_life_s=60, **DIGESTS)
    assert read_policy(mock_policy_mapping(platform=chip, max_life_s=60, **DIGESTS)) == policy


def test_only_this_mock_guest_is_accepted() -> None:
    policy = mock_policy(platform=MockSnp(), max_life_s=60, **DIGESTS)
    assert policy.statement.variants == {Variant.MOCK}
    assert policy.statement.models == {DIGESTS["model"]}
    assert policy.snp is not None
    assert policy.snp.measurements == {MockSnp().measurement}
    assert [product.line for product in policy.snp.products] == ["Milan"]
