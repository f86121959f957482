# SPDX-License-Identifier: Apache-2.0
"""The host's side of the mock provider, asked as the guest's kernel asks."""

import errno
import socket
import struct
import threading

import pytest

from lab.mocktsm import FaultKind, MockSnp, MockTdx, MockTsm
from lab.mocktsm.fault_plan import FaultPlan
from lab.vm.errors import VmError
from lab.vm.tsmhost import TsmHost

INBLOB = bytes(range(64))
SNP_REPORT_BYTES = 1184
REPORT_DATA = slice(0x50, 0x90)
VMPL = slice(0x30, 0x34)


def told(host: TsmHost, ask: bytes) -> bytes:
    """Everything that the host says."""
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            serving = threading.Thread(target=lambda: host.serve(ours))
            theirs.sendall(ask)
            serving.start()
            serving.join()
        theirs.settimeout(10)
        with theirs.makefile("rb") as answer:
            return answer.read()


def ask(level: int = 0, version: int = 1, size: int = 64, zero: int = 0) -> bytes:
    return struct.pack("<IIII", version, level, size, zero) + INBLOB


def parts(answer: bytes) -> tuple[int, bytes, bytes]:
    status, out, aux, manifest = struct.unpack_from("<IIII", answer)
    body = answer[16:]
    assert (len(body), manifest) == (out + aux, 0)
    return status, body[:out], body[out:]


def test_a_report_is_about_what_was_asked() -> None:
    status, out, aux = parts(told(TsmHost(MockTsm(MockSnp())), ask(level=2)))
    assert (status, len(out)) == (0, SNP_REPORT_BYTES)
    assert out[REPORT_DATA] == INBLOB
    assert struct.unpack("<I", out[VMPL]) == (2,)
    assert aux


def test_a_quote_has_no_table_of_certificates() -> None:
    status, out, aux = parts(told(TsmHost(MockTsm(MockTdx())), ask()))
    assert (status, aux) == (0, b"")
    assert INBLOB in out


def test_each_report_is_a_new_one() -> None:
    host = TsmHost(MockTsm(MockSnp()))
    assert [parts(told(host, ask()))[0] for _ in range(3)] == [0, 0, 0]
    assert host.reports == 3


def test_a_fault_of_the_platform_is_an_errno() -> None:
    host = TsmHost(MockTsm(MockSnp(), FaultPlan({FaultKind.TIMED_OUT: 1})))
    assert parts(told(host, ask())) == (errno.ETIMEDOUT, b"", b"")
    assert parts(told(host, ask()))[0] == 0


def test_a_level_that_there_is_not_is_refused_as_the_kernel_does() -> None:
    assert parts(told(TsmHost(MockTsm(MockSnp())), ask(level=4)))[0] == errno.EINVAL


@pytest.mark.parametrize("wrong", [ask(version=2), ask(size=63), ask(zero=1), ask()[:40]])
def test_another_language_is_refused(wrong: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(wrong)
        with pytest.raises(VmError, match="mock TSM"):
            TsmHost(MockTsm(MockSnp())).serve(ours)
