# SPDX-License-Identifier: Apache-2.0
"""Tests of `bench.baseline`; how fast a build is is measured, not asserted."""

import subprocess
import sys

import pytest

from bench.baseline import ask, fastest, native_variables, reply
from image.llama import FLAGS


def a_round(prefill_s: float, decode_s: float) -> dict[str, float]:
    return {"tokens_in": 400, "tokens_out": 60, "prefill_s": prefill_s, "decode_s": decode_s}


def test_the_fastest_round_counts_for_each_by_itself() -> None:
    assert fastest([a_round(2.0, 3.0), a_round(4.0, 1.5)]) == {"prefill": 200.0, "decode": 40.0}


def test_the_native_build_differs_from_the_images_in_the_processor_alone() -> None:
    native = native_variables()
    changed = {name for name in native if native[name] != FLAGS.get(name)}
    assert changed == {"CMAKE_C_FLAGS", "CMAKE_CXX_FLAGS", "GGML_NATIVE"}
    assert "x86-64-v3" not in " ".join(native.values())
    assert native["CMAKE_C_FLAGS"].replace("native", "x86-64-v3") == FLAGS["CMAKE_C_FLAGS"]


def test_a_build_that_does_not_run_here_is_an_error() -> None:
    words = [sys.executable, "-c", "input()"]
    with (
        subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
        pytest.raises(OSError, match="wanted a round, got its end"),
    ):
        ask(process, "round")
        reply(process)
