# SPDX-License-Identifier: Apache-2.0
"""The load run (`make load`), reduced: what must be zero there is zero here."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.load.plot import plot
from bench.load.run import Load, measure


@pytest.mark.slow
def test_sixty_disturbed_requests_leave_nothing_and_mix_up_nothing(tmp_path: Path) -> None:
    result = measure(Load(requests=60, seed=7), tmp_path)
    assert result["found"] == []
    assert set(result["zeros"].values()) == {0}
    assert sum(result["outcomes"].values()) == 60
    assert sum(n for name, n in result["outcomes"].items() if name.endswith(": answered")) > 10
    assert plot(result).count("<polyline") == len(result["before"]["holdings"]) + 1
