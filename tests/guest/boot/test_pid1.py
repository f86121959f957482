# SPDX-License-Identifier: Apache-2.0
"""The order of the steps, on folders in the places of the kernel's; the VM is in `tests/boot`."""

import errno
import functools
import hashlib
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typing_extensions import override

from attest.canonical import write_canonical
from guest import selftest
from guest.boot import devices, entry, modules, mounts, pid1, power, published, sink, switches
from guest.boot.reasons import BootError, Reason
from guest.environment import ENVIRONMENT
from guest.init import Init
from tests.guest.boot.calls import Calls
from tests.guest.documents import document

MODEL = b"a model of sorts" * 40
DIGEST = hashlib.sha256(MODEL).hexdigest()
WORD = f"sealroom.model=sha256:{DIGEST}:{len(MODEL)}"
SECTORS = 2


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


@dataclass
class Machine:
    """Folders in which everything is as it should be."""

    folder: Path
    calls: Calls
    ran: list[Init]

    def publish(self, variant: str = "test", product: str = "Sealroom 0.1.0 TEST") -> None:
        plain = {
            "cmdline": WORD,
            "format": "sealroom-published/1",
            "product": product,
            "variant": variant,
        }
        (self.folder / "published.json").write_bytes(write_canonical(plain))

    def attach(self, name: str, data: bytes) -> None:
        (self.folder / "dev" / name).write_bytes(data)
        block = self.folder / "block" / name
        block.mkdir(parents=True, exist_ok=True)
        (block / "size").write_text(f"{len(data) // 512}\n")
        (block / "ro").write_text("1\n")


def remember(init: Init, made: Machine) -> None:
    """In the place of running the guest."""
    made.ran.append(init)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    made = Machine(tmp_path, Calls(), [])
    for name in ("dev", "net/lo", "report", "sys"):
        (tmp_path / name).mkdir(parents=True)
    for module in (mounts, modules, power):
        monkeypatch.setattr(module, "call", made.calls)
    monkeypatch.setattr(modules.load_all, "__defaults__", (tmp_path / "kmod",))
    monkeypatch.setattr(switches.set_all, "__defaults__", (tmp_path / "sys",))
    monkeypatch.setattr(published, "FILE", tmp_path / "published.json")
    monkeypatch.setattr(published, "CMDLINE", tmp_path / "cmdline")
    monkeypatch.setattr(devices, "BLOCK", tmp_path / "block")
    monkeypatch.setattr(devices, "NETWORK", tmp_path / "net")
    monkeypatch.setattr(devices, "NODES", tmp_path / "dev")
    monkeypatch.setattr(entry, "ENTRY_FOLDER", tmp_path / "report" / "sealroom")
    monkeypatch.setattr(os, "chown", lambda *_: None)
    # Of this test alone: pytest writes a variable of its own into os.environ.
    literal = dict(ENVIRONMENT)
    monkeypatch.setattr(os, "environ", literal)
    monkeypatch.setattr("guest.boot.environment.ENVIRONMENT", literal)
    monkeypatch.setattr(sys, "argv", ["/init"])
    monkeypatch.setattr(os, "umask", lambda _: 0)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    monkeypatch.setattr(sink, "into_nothing", lambda: None)
    monkeypatch.setattr(sink, "to_the_host", lambda: None)
    monkeypatch.setattr(selftest, "lacking", lambda: ("own-user",))
    monkeypatch.setattr(Init, "run", functools.partialmethod(remember, made))
    listener = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr(pid1, "listen", lambda: listener)
    made.publish()
    (tmp_path / "cmdline").write_text(f"{WORD}\n")
    made.attach("vda", padded(MODEL))
    made.attach("vdb", padded(document(model__digest=DIGEST)))
    yield made
    listener.close()


def test_a_machine_that_is_as_it_was_published_runs_the_guest(machine: Machine) -> None:
    pid1.boot()
    (init,) = machine.ran
    targets = [bytes(made[2]).decode() for made in machine.calls.made]
    assert targets[:3] == ["/dev", "/proc", "/sys"]
    assert targets[-1] == "/"
    assert os.pread(init._model, len(MODEL) + 1, 0) == MODEL
    assert init._adopts
    os.close(init._model)


def test_a_bundle_that_the_document_names_is_left_to_the_keyholder(machine: Machine) -> None:
    bundle = machine.folder / "dev" / "vdc"
    named = document(model__digest=DIGEST, stapling__endorsements=str(bundle))
    machine.attach("vdb", padded(named))
    machine.attach("vdc", padded(b"a bundle"))
    pid1.boot()
    assert bundle.stat().st_mode & 0o777 == 0o444
    os.close(machine.ran[0]._model)


def bundle_elsewhere(machine: Machine) -> None:
    machine.attach(
        "vdb", padded(document(model__digest=DIGEST, stapling__endorsements="/elsewhere"))
    )


def foreign_disk(machine: Machine) -> None:
    machine.attach("vdc", bytes(512))


def no_disk(machine: Machine) -> None:
    (machine.folder / "dev" / "vda").unlink()


def another_model(machine: Machine) -> None:
    machine.attach("vda", padded(MODEL[:-1] + b"x"))


def another_document(machine: Machine) -> None:
    machine.attach("vdb", padded(document(model__digest="cd" * 32)))


def unreadable_document(machine: Machine) -> None:
    machine.attach("vdb", padded(document(model__digest=DIGEST, gate__slots=None)))


def document_of_production(machine: Machine) -> None:
    machine.attach("vdb", padded(document(model__digest=DIGEST, variant="production")))


def production_that_lacks(machine: Machine) -> None:
    document_of_production(machine)
    machine.publish("production", "Sealroom 0.1.0")


def another_cmdline(machine: Machine) -> None:
    (machine.folder / "cmdline").write_text(f"{WORD} quiet\n")


def nothing_published(machine: Machine) -> None:
    (machine.folder / "published.json").unlink()


def nobody_vouches(machine: Machine) -> None:
    (machine.folder / "report").rmdir()


def no_configfs(machine: Machine) -> None:
    machine.calls.fails[b"configfs"] = errno.ENODEV


def argument(_: Machine) -> None:
    sys.argv.append("single")


@pytest.mark.parametrize(
    ("spoil", "reason", "code"),
    [
        (no_configfs, Reason.MOUNTS, errno.ENODEV),
        (argument, Reason.ENVIRONMENT, 0),
        (nothing_published, Reason.PUBLISHED, errno.ENOENT),
        (another_cmdline, Reason.CMDLINE, 0),
        (foreign_disk, Reason.DEVICES, 0),
        (bundle_elsewhere, Reason.DOCUMENT, 0),
        (no_disk, Reason.DEVICES, errno.ENOENT),
        (unreadable_document, Reason.DOCUMENT, 0),
        (document_of_production, Reason.VARIANT, 0),
        (another_document, Reason.MODEL, 0),
        (another_model, Reason.MODEL, 0),
        (nobody_vouches, Reason.PROVIDER, errno.ENOENT),
        (production_that_lacks, Reason.LACKING, 0),
    ],
)
def test_anything_else_ends_with_its_reason(
    spoil: Callable[[Machine], None], reason: Reason, code: int, machine: Machine
) -> None:
    spoil(machine)
    with pytest.raises(BootError) as caught:
        pid1.boot()
    assert (caught.value.reason, caught.value.code) == (reason, code)
    assert machine.ran == []


def test_a_machine_that_nobody_vouches_for_is_tested_before_it_is_refused(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested: list[bool] = []

    def lacking() -> tuple[str, ...]:
        tested.append(True)
        return ("tsm-provider",)

    monkeypatch.setattr(selftest, "lacking", lacking)
    nobody_vouches(machine)
    with pytest.raises(BootError):
        pid1.boot()
    assert tested == [True]


def test_main_ends_with_the_machine(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("guest.faults.install", lambda _: None)
    before = signal.getsignal(signal.SIGINT)
    another_cmdline(machine)
    with pytest.raises(BootError):  # where the stand-in for power off lets us go on
        pid1.main()
    signal.signal(signal.SIGINT, before)
    off = json.loads(capfd.readouterr().err)
    assert off == {"event": "power-off", "reason": Reason.CMDLINE, "code": 0}
    assert machine.calls.made[-1][-2] == power.POWER_OFF


def test_the_gate_gets_a_socket_that_any_context_may_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    class Vsock(socket.socket):
        def __init__(self, family: int, kind: int) -> None:
            assert family == socket.AF_VSOCK
            super().__init__(socket.AF_INET, kind)

        @override
        def bind(self, address: object) -> None:
            assert address == (socket.VMADDR_CID_ANY, pid1.PORT)
            super().bind(("127.0.0.1", 0))

    monkeypatch.setattr(socket, "socket", Vsock)
    with pid1.listen() as listener:
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


def test_a_kernel_without_vsock_ends_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(*_: int) -> socket.socket:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    monkeypatch.setattr(socket, "socket", without)
    with pytest.raises(BootError) as caught:
        pid1.listen()
    assert (caught.value.reason, caught.value.code) == (Reason.LISTENER, errno.EAFNOSUPPORT)
