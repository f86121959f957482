# SPDX-License-Identifier: Apache-2.0
"""The mock of tdx-guest keeps the kernel's rules (drivers/virt/coco/tdx-guest, ABI configfs-tsm).

What is common to every driver is in `test_configfs`; here is what TDX has otherwise.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

from attest.tdx.quote import parse_quote
from guest.keyholder.tsm import Provider, request_report
from lab.mocktsm import FaultKind, FaultPlan, MockTdx, MockTsm
from lab.mocktsm.tdx_guest import OUTBLOB_BYTES

DATA = bytes(range(64))


def mock(version: int = 4, **faults: int | str) -> MockTsm:
    """A mock with one entry, "one"."""
    plan = FaultPlan({name.replace("_", "-"): n for name, n in faults.items()})
    tsm = MockTsm(MockTdx(version=version), plan)
    tsm.make("one")
    return tsm


def number(verb: Callable[[], Any]) -> int | None:
    """The errno that a verb fails with."""
    with pytest.raises(OSError, match=r".+") as caught:
        verb()
    return caught.value.errno


def test_the_provider_is_named() -> None:
    assert mock().read("one", "provider") == b"tdx_guest\n"


@pytest.mark.parametrize(
    "verb",
    [
        lambda tsm: tsm.read("one", "auxblob"),
        lambda tsm: tsm.read("one", "privlevel_floor"),
        lambda tsm: tsm.write("one", "privlevel", b"0"),
    ],
    ids=["auxblob", "privlevel_floor", "privlevel"],
)
def test_there_are_no_certificates_and_no_privilege_levels(
    verb: Callable[[MockTsm], Any],
) -> None:
    assert number(lambda: verb(mock())) == errno.ENOENT


@pytest.mark.parametrize(("version", "body_type"), [(4, 2), (5, 3)])
def test_outblob_is_a_quote_and_then_zeros(version: int, body_type: int) -> None:
    tsm = mock(version)
    tsm.write("one", "inblob", DATA)
    outblob = tsm.read("one", "outblob")
    quote = parse_quote(outblob)
    assert (quote.header.version, quote.body_type) == (version, body_type)
    assert quote.body.report_data == DATA
    assert len(outblob) == OUTBLOB_BYTES
    assert quote.trailing
    assert not any(quote.trailing)


def test_without_inblob_there_is_no_quote() -> None:
    assert number(lambda: mock().read("one", "outblob")) == errno.EINVAL


@pytest.mark.parametrize("size", [0, 1, 63])
def test_fewer_than_64_bytes_fail_at_close_and_nobody_is_told(size: int) -> None:
    tsm = mock()
    tsm.write("one", "inblob", DATA[:size])
    assert tsm.read("one", "generation") == b"0\n"


def test_a_quote_of_one_generation_is_made_once() -> None:
    tsm = mock()
    tsm.write("one", "inblob", DATA)
    first = tsm.read("one", "outblob")
    tsm.faults = FaultPlan({FaultKind.BUSY: "always"})
    assert tsm.read("one", "outblob") == first


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [("busy", errno.EBUSY), ("timed-out", errno.ETIMEDOUT), ("io-error", errno.EIO)],
)
def test_a_fault_of_the_host_is_seen_when_the_quote_is_read(fault: str, wanted: int) -> None:
    tsm = mock(**{fault: 1})
    tsm.write("one", "inblob", DATA)
    assert number(lambda: tsm.read("one", "outblob")) == wanted
    assert tsm.read("one", "outblob")


@pytest.mark.parametrize("fault", ["no-certificates", "wiped-key", "other-vmpl"])
def test_there_are_no_faults_of_the_other_platform(fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        mock(**{fault: 1})


def test_the_same_client_asks_it() -> None:
    report = request_report(mock(), DATA, clock=lambda: 0.0, sleep=lambda _: None)
    assert (report.provider, report.auxblob) == (Provider.TDX_GUEST, b"")
    assert parse_quote(report.outblob).body.report_data == DATA


def test_a_mock_is_made_from_plain_data() -> None:
    plain = {"platform": "tdx", "version": 5, "seed": "a", "faults": {"debug": 1}}
    tsm = MockTsm.from_plain(plain)
    tsm.make("one")
    tsm.write("one", "inblob", DATA)
    assert parse_quote(tsm.read("one", "outblob")).body.td_attributes[0] & 1
    with pytest.raises(ValueError, match="version"):
        MockTsm.from_plain(plain | {"version": 3})
