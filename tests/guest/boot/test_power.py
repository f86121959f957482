# SPDX-License-Identifier: Apache-2.0
"""However it ends, the machine says why and is switched off; the call itself is a stand-in."""

import errno
import json
import os
import signal
import socket
from collections.abc import Iterator

import pytest

from guest import faults
from guest.boot import power
from guest.boot.power import CAD_OFF, MAGIC, POWER_OFF, SYS_REBOOT, PowerOff
from guest.boot.reasons import MEANINGS, BootError, Reason
from guest.door import Process
from tests.guest.boot.calls import Calls
from tests.guest.rig import nothing_left_open


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    made = Calls()
    monkeypatch.setattr(power, "call", made)
    before = signal.getsignal(signal.SIGINT)
    yield made
    signal.signal(signal.SIGINT, before)


def last_words(capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def test_the_keys_that_restart_a_machine_no_longer_do(calls: Calls) -> None:
    with PowerOff():
        assert calls.made == [(SYS_REBOOT, *MAGIC, CAD_OFF, 0)]
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_an_end_in_order_switches_off(calls: Calls, capfd: pytest.CaptureFixture[str]) -> None:
    with PowerOff():
        pass
    assert last_words(capfd) == [{"event": "power-off", "reason": Reason.STOPPED, "code": 0}]
    assert calls.made[-1] == (SYS_REBOOT, *MAGIC, POWER_OFF, 0)


def test_a_refusal_is_told_by_its_number(calls: Calls, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BootError), PowerOff():  # where the stand-in lets us go on
        raise BootError(Reason.PROVIDER, errno.ENXIO)
    (event,) = last_words(capfd)
    assert event == {"event": "power-off", "reason": Reason.PROVIDER, "code": errno.ENXIO}
    assert calls.made[-1] == (SYS_REBOOT, *MAGIC, POWER_OFF, 0)


@pytest.mark.parametrize("error", [ValueError("secret"), KeyboardInterrupt(), SystemExit(3)])
def test_what_nobody_foresaw_is_told_without_its_words(
    error: BaseException,
    calls: Calls,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module, name in (("sys", "excepthook"), ("sys", "unraisablehook")):
        monkeypatch.setattr(f"{module}.{name}", None)
    monkeypatch.setattr("threading.excepthook", None)
    monkeypatch.setattr("warnings.showwarning", None)
    monkeypatch.setattr("logging.raiseExceptions", True)
    monkeypatch.setattr("logging.root.handlers", [])
    faults.install(Process.INIT)
    with pytest.raises(type(error)), PowerOff():
        raise error
    fault, off = last_words(capfd)
    assert fault["event"] == "fault"
    assert off == {"event": "power-off", "reason": Reason.FAULT, "code": 0}
    assert calls.made[-1] == (SYS_REBOOT, *MAGIC, POWER_OFF, 0)


def test_the_end_waits_until_the_last_word_was_read() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, nothing_left_open():
        ours.sendall(b"last word\n")
        theirs.shutdown(socket.SHUT_WR)  # as a reader that closes when it has everything
        power.drain(ours.fileno())
        assert theirs.recv(64) == b"last word\n"
        assert theirs.recv(64) == b""


def test_a_journal_that_goes_nowhere_holds_up_nothing() -> None:
    fd = os.open("/dev/null", os.O_RDWR)
    with nothing_left_open():
        power.drain(fd)
    os.close(fd)


def test_every_reason_has_one_number_that_the_journal_can_write() -> None:
    assert [reason.value for reason in Reason] == list(range(len(Reason)))
    assert len(Reason) <= 64
    assert list(MEANINGS) == list(Reason)
