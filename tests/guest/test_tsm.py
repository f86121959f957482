# SPDX-License-Identifier: Apache-2.0
"""The configfs-tsm client, against a platform with the kernel's rules and with each fault."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from attest.snp.report import parse_report
from guest import sandbox
from guest.door import Process
from guest.keyholder import tsm as client
from guest.keyholder.tsm import (
    ATTEMPTS_MAX,
    BACK_OFF_S,
    BLOB_MAX_BYTES,
    DEADLINE_S,
    ERRORS,
    Configfs,
    KernelConfigfs,
    Provider,
    TsmBlobError,
    TsmBusyError,
    TsmError,
    TsmIoError,
    TsmRaceError,
    TsmRefusedError,
    TsmReport,
    TsmTimeoutError,
    TsmUnavailableError,
    read_provider,
    request_report,
)
from lab.mocktsm import FaultPlan, MockSnp, MockTsm

DATA = bytes(range(64))


@dataclass
class Clock:
    """A clock that only sleeping moves."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def request(configfs: Configfs, clock: Clock | None = None) -> TsmReport:
    clock = clock or Clock()
    return request_report(configfs, DATA, clock=clock.read, sleep=clock.sleep)


def mock(**faults: int | str) -> MockTsm:
    return MockTsm(
        MockSnp(),
        FaultPlan({name.replace("_", "-"): times for name, times in faults.items()}),
        sleep=lambda seconds: None,
    )


def nothing(verb: str, name: str, attribute: str) -> None:
    """What happens before a verb on a platform without surprises."""


@dataclass
class Around:
    """A platform with something before each verb, and other answers to some reads."""

    inner: MockTsm = field(default_factory=mock)
    before: Callable[[str, str, str], None] = nothing
    answers: dict[str, bytes] = field(default_factory=dict)

    def make(self, name: str) -> None:
        self.before("make", name, "")
        self.inner.make(name)

    def remove(self, name: str) -> None:
        self.inner.remove(name)
        self.before("remove", name, "")

    def read(self, name: str, attribute: str) -> bytes:
        self.before("read", name, attribute)
        answer = self.inner.read(name, attribute)
        return self.answers.get(attribute, answer)

    def write(self, name: str, attribute: str, data: bytes) -> None:
        self.before("write", name, attribute)
        self.inner.write(name, attribute, data)


def failing(verb: str, attribute: str, number: int) -> Around:
    """A platform on which one verb fails, on one attribute if it has any."""

    def fail(asked: str, name: str, of: str) -> None:
        if (asked, of) == (verb, attribute):
            raise OSError(number, os.strerror(number), name)

    return Around(before=fail)


def test_a_report_over_our_bytes_comes_with_the_hosts_certificates() -> None:
    platform = mock()
    report = request(platform)
    assert report.provider is Provider.SEV_GUEST
    assert parse_report(report.outblob).report_data == DATA
    assert MockSnp().certificate in report.auxblob
    assert platform.entries == {}


def test_the_provider_is_read_without_a_report() -> None:
    platform = mock(busy="always")
    assert read_provider(platform) is Provider.SEV_GUEST
    assert platform.entries == {}


def test_a_quote_comes_without_certificates() -> None:
    platform = Around(answers={"provider": b"tdx_guest\n"})
    assert request(platform).auxblob == b""
    assert request(platform).provider is Provider.TDX_GUEST


def test_each_request_has_an_entry_that_nobody_can_guess() -> None:
    names: set[str] = set()
    platform = Around(before=lambda verb, name, attribute: names.add(name))
    for _ in range(3):
        request(platform)
    assert len(names) == 3
    assert all(len(name) == len("sealroom-") + 32 for name in names)


@pytest.mark.parametrize("size", [0, 63, 65])
def test_only_64_bytes_are_vouched_for(size: int) -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        request_report(mock(), bytes(size), clock=Clock().read, sleep=Clock().sleep)


@pytest.mark.parametrize("fault", ["busy", "meddling_writer", "lost_commit"])
def test_what_is_in_the_way_once_is_tried_again(fault: str) -> None:
    clock, platform = Clock(), mock(**{fault: 2})
    assert parse_report(request(platform, clock).outblob).report_data == DATA
    assert clock.slept == [BACK_OFF_S, 2 * BACK_OFF_S]
    assert platform.entries == {}


@pytest.mark.parametrize(
    ("fault", "error", "number"),
    [
        ("busy", TsmBusyError, errno.EBUSY),
        ("meddling_writer", TsmRaceError, None),
        ("lost_commit", TsmRaceError, None),
        ("timed_out", TsmTimeoutError, errno.ETIMEDOUT),
        ("wiped_key", TsmUnavailableError, errno.ENOTTY),
        ("no_provider", TsmUnavailableError, errno.ENXIO),
        ("short_blob", TsmBlobError, None),
    ],
)
def test_a_lasting_fault_ends_in_its_error(
    fault: str, error: type[TsmError], number: int | None
) -> None:
    clock, platform = Clock(), mock(**{fault: "always"})
    with pytest.raises(error) as caught:
        request(platform, clock)
    assert type(caught.value) is error
    assert caught.value.errno == number
    assert len(clock.slept) < ATTEMPTS_MAX
    assert clock.now - 1000 < DEADLINE_S
    assert platform.entries == {}


def test_trying_again_ends_with_the_deadline() -> None:
    def take_half_the_time(verb: str, *_: str) -> None:
        clock.now += DEADLINE_S / 2 if verb == "make" else 0

    clock = Clock()
    platform = Around(inner=mock(busy="always"), before=take_half_the_time)
    with pytest.raises(TsmTimeoutError, match="read auxblob") as caught:
        request(platform, clock)
    assert isinstance(caught.value.__cause__, TsmBusyError)
    assert clock.slept == [BACK_OFF_S]


STEPS = [
    ("make", "", "make entry"),
    ("read", "provider", "read provider"),
    ("read", "generation", "read generation"),
    ("write", "inblob", "write inblob"),
    ("read", "auxblob", "read auxblob"),
    ("read", "outblob", "read outblob"),
    ("remove", "", "remove entry"),
]


@pytest.mark.parametrize(("verb", "attribute", "step"), STEPS)
def test_an_error_names_its_step_and_leaves_no_entry(verb: str, attribute: str, step: str) -> None:
    platform = failing(verb, attribute, errno.EIO)
    with pytest.raises(TsmIoError) as caught:
        request(platform)
    assert (caught.value.step, caught.value.errno) == (step, errno.EIO)
    assert isinstance(caught.value.__cause__, OSError)
    assert platform.inner.entries == {}


@pytest.mark.parametrize(("number", "error"), ERRORS.items())
def test_every_errno_has_its_error(number: int, error: type[TsmError]) -> None:
    with pytest.raises(error) as caught:
        request(failing("read", "outblob", number))
    assert type(caught.value) is error
    assert caught.value.errno == number


def test_an_errno_that_nobody_foresaw_is_an_error_of_ours_too() -> None:
    with pytest.raises(TsmIoError) as caught:
        request(failing("read", "outblob", errno.EXDEV))
    assert caught.value.errno == errno.EXDEV


def test_no_class_of_error_is_unused() -> None:
    without_errno = {TsmRaceError, TsmBlobError}
    assert set(TsmError.__subclasses__()) == set(ERRORS.values()) | without_errno
    assert TsmRefusedError in ERRORS.values()


@pytest.mark.parametrize(
    ("attribute", "answer"),
    [
        ("provider", b"arm_cca_guest\n"),
        ("provider", b"SEV_GUEST\n"),
        ("provider", b""),
        ("generation", b"\n"),
        ("generation", b"-1\n"),
        ("generation", b"1\n\n"),
        ("generation", b"1" * 21),
        ("outblob", bytes(1183)),
        ("outblob", bytes(1185)),
        ("outblob", b""),
    ],
)
def test_an_answer_of_another_form_is_refused(attribute: str, answer: bytes) -> None:
    platform = Around(answers={attribute: answer})
    with pytest.raises(TsmBlobError, match=attribute):
        request(platform)
    assert platform.inner.entries == {}


def test_a_quote_is_not_empty() -> None:
    platform = Around(answers={"provider": b"tdx_guest\n", "outblob": b""})
    with pytest.raises(TsmBlobError, match="nothing came"):
        request(platform)


def test_the_kernel_is_asked_under_one_compiled_path() -> None:
    assert str(client.ENTRY_FOLDER) == "/sys/kernel/config/tsm/report/sealroom"
    with pytest.raises(TypeError):
        KernelConfigfs("elsewhere")  # type: ignore[call-arg]  # there is no such argument


def test_the_sandbox_has_the_path_that_the_client_opens() -> None:
    paths = [rule.path for rule in sandbox.PATHS[Process.KEYHOLDER]]
    assert str(client.ENTRY_FOLDER) in paths


def test_a_folder_that_is_not_on_configfs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ENTRY_FOLDER", tmp_path)
    with pytest.raises(TsmUnavailableError, match="not on configfs") as caught:
        request(KernelConfigfs())
    assert caught.value.errno == errno.ENODEV


def test_a_machine_whose_first_process_made_no_entry_has_no_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ENTRY_FOLDER", tmp_path / "none")
    with pytest.raises(TsmUnavailableError) as caught:
        request(KernelConfigfs())
    assert caught.value.errno == errno.ENOENT


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An entry on an ordinary file system, with the look at the file system's kind left out."""
    monkeypatch.setattr(client, "ENTRY_FOLDER", tmp_path)
    monkeypatch.setattr(client, "_verify_mounted", lambda: None)
    return tmp_path


def test_the_kernels_verbs_take_the_one_entry_and_give_it_back(entry: Path) -> None:
    configfs = KernelConfigfs()
    configfs.make("entry")
    with pytest.raises(FileNotFoundError):
        configfs.write("entry", "inblob", DATA)
    inblob = entry / "inblob"
    inblob.touch()
    configfs.write("entry", "inblob", DATA)
    assert configfs.read("entry", "inblob") == DATA
    inblob.write_bytes(bytes(BLOB_MAX_BYTES + 1))
    with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
        configfs.read("entry", "inblob")
    configfs.remove("entry")
    assert list(entry.iterdir()) == [inblob]


def test_an_entry_that_is_taken_is_busy_and_one_that_is_not_is_not_there(entry: Path) -> None:
    (entry / "inblob").touch()
    configfs = KernelConfigfs()
    configfs.make("first")
    with pytest.raises(OSError, match=os.strerror(errno.EBUSY)):
        configfs.make("second")
    for verb in (
        lambda: configfs.read("second", "inblob"),
        lambda: configfs.write("second", "inblob", DATA),
        lambda: configfs.remove("second"),
    ):
        with pytest.raises(FileNotFoundError):
            verb()
    configfs.remove("first")
    with pytest.raises(FileNotFoundError):
        configfs.read("first", "inblob")
    configfs.make("second")
    assert configfs.read("second", "inblob") == b""
