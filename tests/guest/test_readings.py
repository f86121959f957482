# SPDX-License-Identifier: Apache-2.0
"""What the self-test reads: whole files of bounded length, and what is not there told apart."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from guest.readings import (
    CALIBRATION_STEPS,
    FILE_MAX_BYTES,
    PROBES,
    UNCALIBRATED,
    Nothing,
    read,
    read_clock_source,
    read_file,
    read_magic,
    read_tsm,
)
from guest.selftest_rows import PROC_MAGIC
from lab.mocktsm import FaultKind, FaultPlan, MockSnp, MockTdx, MockTsm


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * (FILE_MAX_BYTES - 1) + b"\xff")
    assert read_file(path) == "x" * (FILE_MAX_BYTES - 1) + "\ufffd"


def test_a_file_that_is_too_long_is_not_read_in_part(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * (FILE_MAX_BYTES + 1))
    assert read_file(path) is Nothing.UNREADABLE


def test_a_compressed_file_is_as_long_as_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "config.gz"
    path.write_bytes(gzip.compress(b"CONFIG_SWAP=y\n"))
    assert read_file(path) == "CONFIG_SWAP=y\n"
    path.write_bytes(gzip.compress(b"x" * (64 * FILE_MAX_BYTES)))
    assert path.stat().st_size < FILE_MAX_BYTES
    assert read_file(path) is Nothing.UNREADABLE
    path.write_bytes(b"no gzip")
    assert read_file(path) is Nothing.UNREADABLE


def test_what_is_absent_is_not_what_cannot_be_read(tmp_path: Path) -> None:
    assert read_file(tmp_path / "absent") is Nothing.ABSENT
    assert read_file(tmp_path) is Nothing.UNREADABLE
    assert read_magic(str(tmp_path / "absent")) is Nothing.ABSENT


def test_the_file_system_of_proc_is_the_kernels() -> None:
    assert read_magic("/proc") == PROC_MAGIC
    assert read_magic("/") != PROC_MAGIC


@pytest.mark.parametrize("name", PROBES)
def test_each_probe_answers_here(name: str) -> None:
    answer = PROBES[name]()
    assert isinstance(answer, Nothing) or answer != ""


def test_a_name_is_a_probe_or_a_path() -> None:
    found = read(["arguments", "/proc/self/stat"])
    assert str(found["arguments"]).isdigit()
    assert str(found["/proc/self/stat"]).startswith(f"{os.getpid()} (")


def test_a_random_number_generator_that_is_not_ready_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unready(size: int, flags: int) -> bytes:
        assert (size, flags) == (1, os.GRND_NONBLOCK)
        raise BlockingIOError

    monkeypatch.setattr(os, "getrandom", unready)
    assert PROBES["random number generator"]() == "not ready"


def test_a_clock_that_is_being_calibrated_is_waited_for(tmp_path: Path) -> None:
    path, waits = tmp_path / "clock", list[float]()

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            path.write_text("tsc\n")

    path.write_text(UNCALIBRATED)
    assert read_clock_source(path, wait) == "tsc\n"
    assert len(waits) == 3


def test_a_clock_that_is_never_calibrated_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    path, waits = tmp_path / "clock", list[float]()
    path.write_text(UNCALIBRATED)
    assert read_clock_source(path, waits.append) == UNCALIBRATED
    assert len(waits) == CALIBRATION_STEPS


@pytest.mark.parametrize("text", ["tsc\n", "kvm-clock\n"])
def test_a_clock_that_is_what_it_is_is_not_waited_for(text: str, tmp_path: Path) -> None:
    path, waits = tmp_path / "clock", list[float]()
    path.write_text(text)
    assert read_clock_source(path, waits.append) == text
    assert waits == []


@pytest.mark.parametrize(
    ("platform", "answer"),
    [
        (MockTsm(MockSnp()), "sev_guest 0"),
        (MockTsm(MockSnp(), privlevel_floor=2), "sev_guest 2"),
        (MockTsm(MockTdx()), "tdx_guest"),
        (MockTsm(MockSnp(), FaultPlan({FaultKind.NO_PROVIDER: 9})), Nothing.ABSENT),
    ],
    ids=["vmpl0", "vmpl2", "tdx", "none"],
)
def test_the_platform_tells_its_provider_and_level(platform: MockTsm, answer: object) -> None:
    assert read_tsm(platform) == answer
