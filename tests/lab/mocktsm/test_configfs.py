# SPDX-License-Identifier: Apache-2.0
"""The mock keeps the kernel's rules (drivers/virt/coco/guest/report.c, ABI configfs-tsm).

Where a rule surprises, the name of its test says it: the mock must be as strange as the kernel.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

from attest.snp.certtable import parse_certificate_table
from attest.snp.report import parse_report
from lab.mocktsm import FaultKind, FaultPlan, MockSnp, MockTsm
from lab.mocktsm.configfs import GENERATION_MODULUS, SLOW_S
from lab.mocktsm.sev_guest import SevGuest

DATA = bytes(range(64))


def mock(**faults: int | str) -> MockTsm:
    """A mock with one entry, "one"."""
    tsm = MockTsm(MockSnp(), FaultPlan({name.replace("_", "-"): n for name, n in faults.items()}))
    tsm.make("one")
    return tsm


def number(verb: Callable[[], Any]) -> int | None:
    """The errno that a verb fails with."""
    with pytest.raises(OSError, match=r".+") as caught:
        verb()
    return caught.value.errno


def test_an_entry_is_made_once_and_removed_once() -> None:
    tsm = mock()
    assert number(lambda: tsm.make("one")) == errno.EEXIST
    tsm.remove("one")
    assert number(lambda: tsm.remove("one")) == errno.ENOENT


def test_without_a_provider_no_entry_is_made() -> None:
    tsm = MockTsm(MockSnp(), FaultPlan({FaultKind.NO_PROVIDER: 1}))
    assert number(lambda: tsm.make("one")) == errno.ENXIO
    tsm.make("one")


@pytest.mark.parametrize(
    "verb",
    [
        lambda tsm: tsm.read("two", "generation"),
        lambda tsm: tsm.write("two", "inblob", DATA),
        lambda tsm: tsm.read("one", "other"),
        lambda tsm: tsm.write("one", "other", DATA),
    ],
)
def test_what_is_not_there_is_not_found(verb: Callable[[MockTsm], Any]) -> None:
    assert number(lambda: verb(mock())) == errno.ENOENT


@pytest.mark.parametrize("attribute", ["inblob", "privlevel"])
def test_inputs_are_not_readable(attribute: str) -> None:
    assert number(lambda: mock().read("one", attribute)) == errno.EACCES


@pytest.mark.parametrize(
    "attribute", ["outblob", "auxblob", "generation", "provider", "privlevel_floor"]
)
def test_outputs_are_not_writable(attribute: str) -> None:
    assert number(lambda: mock().write("one", attribute, DATA)) == errno.EACCES


@pytest.mark.parametrize("attribute", ["outblob", "auxblob"])
def test_without_inblob_there_is_no_blob(attribute: str) -> None:
    assert number(lambda: mock().read("one", attribute)) == errno.EINVAL


def test_more_than_64_bytes_fail_at_write() -> None:
    assert number(lambda: mock().write("one", "inblob", DATA + b"x")) == errno.EFBIG


@pytest.mark.parametrize("size", [0, 1, 63])
def test_fewer_than_64_bytes_fail_at_close_and_nobody_is_told(size: int) -> None:
    tsm = mock()
    tsm.write("one", "inblob", DATA[:size])
    assert tsm.read("one", "generation") == b"0\n"
    assert number(lambda: tsm.read("one", "outblob")) == errno.EINVAL


def test_each_successful_write_raises_the_generation() -> None:
    tsm = mock()
    tsm.write("one", "inblob", DATA)
    tsm.write("one", "privlevel", b"2\n")
    assert tsm.read("one", "generation") == b"2\n"


def test_reading_does_not_change_the_generation() -> None:
    tsm = mock()
    tsm.write("one", "inblob", DATA)
    tsm.read("one", "outblob")
    assert tsm.read("one", "generation") == b"1\n"


def test_a_write_that_would_wrap_onto_the_last_report_is_busy() -> None:
    tsm = mock()
    tsm.write("one", "inblob", DATA)
    tsm.read("one", "outblob")
    tsm.entries["one"].write_generation = 0
    assert number(lambda: tsm.write("one", "privlevel", b"1")) == errno.EBUSY


def test_a_busy_commit_of_inblob_is_lost() -> None:
    tsm = mock()
    tsm.entries["one"].write_generation = GENERATION_MODULUS - 1
    tsm.write("one", "inblob", DATA)
    assert tsm.read("one", "generation") == f"{GENERATION_MODULUS - 1}\n".encode()


def test_entries_do_not_share_anything() -> None:
    tsm = mock()
    tsm.make("two")
    tsm.write("one", "inblob", DATA)
    assert tsm.read("two", "generation") == b"0\n"


def test_the_report_is_about_what_was_written_last() -> None:
    tsm = mock()
    for data in (DATA, DATA[::-1]):
        tsm.write("one", "inblob", data)
        assert parse_report(tsm.read("one", "outblob")).report_data == data


def test_blobs_of_one_generation_are_made_once() -> None:
    tsm = mock(busy=0)
    tsm.write("one", "inblob", DATA)
    first = tsm.read("one", "auxblob")
    tsm.faults = FaultPlan({FaultKind.BUSY: "always"})
    assert parse_report(tsm.read("one", "outblob")).report_data == DATA
    assert tsm.read("one", "auxblob") == first


def test_a_new_generation_asks_the_firmware_again() -> None:
    tsm = mock()
    tsm.write("one", "inblob", DATA)
    tsm.read("one", "outblob")
    tsm.faults = FaultPlan({FaultKind.BUSY: 1})
    tsm.write("one", "inblob", DATA)
    assert number(lambda: tsm.read("one", "outblob")) == errno.EBUSY


@pytest.mark.parametrize("level", [b"0", b"3\n"])
def test_the_privilege_level_is_in_the_report(level: bytes) -> None:
    tsm = mock()
    tsm.write("one", "privlevel", level)
    tsm.write("one", "inblob", DATA)
    assert parse_report(tsm.read("one", "outblob")).vmpl == int(level)


@pytest.mark.parametrize("level", [b"4", b"-1", b"", b"x", b"1"])
def test_a_privilege_level_below_the_floor_or_above_3_is_invalid(level: bytes) -> None:
    tsm = MockTsm(MockSnp(), privlevel_floor=2)
    tsm.make("one")
    assert tsm.read("one", "privlevel_floor") == b"2\n"
    assert number(lambda: tsm.write("one", "privlevel", level)) == errno.EINVAL


def test_the_provider_is_named() -> None:
    assert mock().read("one", "provider") == b"sev_guest\n"


def test_the_auxblob_holds_the_chain() -> None:
    tsm = mock()
    tsm.write("one", "inblob", DATA)
    table = parse_certificate_table(tsm.read("one", "auxblob"))
    assert table.vcek == MockSnp().certificate
    assert table.ask is not None
    assert table.ark is not None


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        ("busy", errno.EBUSY),
        ("timed-out", errno.ETIMEDOUT),
        ("io-error", errno.EIO),
        ("wiped-key", errno.ENOTTY),
    ],
)
def test_a_fault_of_the_firmware_is_seen_when_a_blob_is_read(fault: str, wanted: int) -> None:
    tsm = MockTsm(MockSnp(), FaultPlan({fault: 1}))
    tsm.make("one")
    tsm.write("one", "inblob", DATA)
    assert number(lambda: tsm.read("one", "outblob")) == wanted
    assert tsm.read("one", "outblob")


def test_a_meddling_writer_changes_the_generation_after_a_read() -> None:
    tsm = mock(meddling_writer=1)
    tsm.write("one", "inblob", DATA)
    assert parse_report(tsm.read("one", "outblob")).report_data == DATA
    assert tsm.read("one", "generation") == b"2\n"


def test_a_lost_commit_leaves_the_generation() -> None:
    tsm = mock(lost_commit=1)
    tsm.write("one", "inblob", DATA)
    assert tsm.read("one", "generation") == b"0\n"


def test_a_slow_platform_takes_its_time() -> None:
    waited: list[float] = []
    tsm = MockTsm(MockSnp(), FaultPlan({"slow": 1}), sleep=waited.append)
    tsm.make("one")
    tsm.write("one", "inblob", DATA)
    tsm.read("one", "outblob")
    assert waited == [SLOW_S]


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("wrong_report_data", lambda report: report.report_data == bytes(64)),
        ("other_vmpl", lambda report: report.vmpl == 1),
        ("stale_tcb", lambda report: report.reported_tcb == bytes.fromhex("03000000000017da")),
    ],
)
def test_a_fault_of_the_platform_is_in_a_genuine_report(
    fault: str, seen: Callable[[Any], bool]
) -> None:
    tsm = mock(**{fault: 1})
    tsm.write("one", "inblob", DATA)
    assert seen(parse_report(tsm.read("one", "outblob")))
    tsm.write("one", "inblob", DATA)
    assert not seen(parse_report(tsm.read("one", "outblob")))


@pytest.mark.parametrize(
    ("fault", "attribute", "wanted"),
    [("short_blob", "outblob", 1024), ("no_certificates", "auxblob", 0)],
)
def test_a_fault_of_a_blob_is_in_its_length(fault: str, attribute: str, wanted: int) -> None:
    tsm = mock(**{fault: 1})
    tsm.write("one", "inblob", DATA)
    assert len(tsm.read("one", attribute)) == wanted


def test_another_provider_answers_as_another() -> None:
    assert mock(wrong_provider=1).read("one", "provider") == b"arm_cca_guest\n"


def test_the_words_for_faults_do_not_change() -> None:
    assert {kind.value for kind in FaultKind} == {
        "busy",
        "io-error",
        "lost-commit",
        "meddling-writer",
        "no-certificates",
        "no-provider",
        "short-blob",
        "slow",
        "timed-out",
        "wiped-key",
        "wrong-provider",
    }


@pytest.mark.parametrize(("times", "strikes"), [(0, 0), (2, 2), ("always", 5)])
def test_a_fault_strikes_as_often_as_planned(times: int | str, strikes: int) -> None:
    plan = FaultPlan({"busy": times})
    assert sum(plan.strikes(FaultKind.BUSY) for _ in range(5)) == strikes
    assert not plan.strikes(FaultKind.SLOW)


@pytest.mark.parametrize("faults", [{"busy": -1}, {"busy": "often"}, {"busy": True}, {"bsy": 1}])
def test_an_unknown_plan_is_refused(faults: dict[str, int | str]) -> None:
    with pytest.raises(ValueError, match=r"bu?sy"):
        FaultPlan(faults)


PLAIN = {
    "platform": "sev-snp",
    "line": "Turin",
    "version": 5,
    "seed": "a",
    "faults": {"busy": 1},
}


def test_a_mock_is_made_from_plain_data() -> None:
    tsm = MockTsm.from_plain(PLAIN)
    assert isinstance(tsm.driver, SevGuest)
    chip = tsm.driver.chip
    assert (chip.line, chip.version, chip.seed) == ("Turin", 5, "a")
    assert tsm.faults.strikes(FaultKind.BUSY)


@pytest.mark.parametrize(
    "plain",
    [
        {},
        PLAIN | {"more": 1},
        PLAIN | {"platform": "sgx"},
        PLAIN | {"platform": "tdx"},
        PLAIN | {"line": "Rome"},
        PLAIN | {"version": 1},
        PLAIN | {"faults": {"perfmon": 1}},
    ],
)
def test_other_plain_data_is_refused(plain: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        MockTsm.from_plain(plain)
