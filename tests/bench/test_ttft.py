# SPDX-License-Identifier: Apache-2.0
"""Tests of the comparison in `bench.ttft`; how long a token takes is measured, not asserted."""

import random

from bench.ttft import compare

CHANCE = random.Random(1)
SAMPLE = [100 + CHANCE.gauss(0, 5) for _ in range(40)]


def test_samples_that_differ_clearly_have_small_p_values() -> None:
    found = compare(SAMPLE, [each + 10 for each in SAMPLE])
    assert found["p by ranks"] < 0.001
    assert found["p by distance"] < 0.001


def test_samples_of_one_distribution_have_no_small_p_value() -> None:
    found = compare(SAMPLE, [100 + CHANCE.gauss(0, 5) for _ in range(40)])
    assert found["p by ranks"] > 0.05
    assert found["p by distance"] > 0.05


def test_the_comparison_has_no_side_and_no_chance_of_its_own() -> None:
    other = [each + 1 for each in SAMPLE]
    assert compare(SAMPLE, other) == compare(SAMPLE, other)
    assert compare(SAMPLE, other)["rank difference"] == compare(other, SAMPLE)["rank difference"]
