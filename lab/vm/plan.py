# SPDX-License-Identifier: Apache-2.0
"""What a machine is made of, and the qemu command line that makes it: data in, words out.

Nothing is read, written or started here. The machine is the one of `image/launch`, less what needs
hardware: q35, no network, no default devices, shared memory (vhost-user wants it), two read-only
disks and vsock. What a host could add beside it (`extra`) is for tests that add just that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MEMORY_MIB: Final = 1024
PROCESSORS: Final = 2
GUEST_CID: Final = 42
"""Any number above 2 does: each machine has a vsock device, and so a host, of its own."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A file that the guest sees as a disk, as it is; qemu fills its last sector up with NUL."""

    path: Path
    read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinePlan:
    """One machine.

    Attributes:
        kernel: a bzImage.
        initrd: the initial file system, as it lies in the release; a test appends to a copy.
        cmdline: the kernel command line, without a newline.
        disks: in the order of their names in the guest, vda first.
        firmware: instead of SeaBIOS.
        memory_mib: of the guest; a dump of it is as long.
        processors: of the guest; each is a thread of qemu.
        clock: the wall clock at start, in ISO 8601 without a zone (UTC); this host's if None.
        vsock: whether there is a vsock device.
        console: whether somebody can type into the first serial port.
        extra: further words for qemu.
    """

    kernel: Path
    initrd: Path
    cmdline: str
    disks: tuple[Disk, ...] = ()
    firmware: Path | None = None
    memory_mib: int = MEMORY_MIB
    processors: int = PROCESSORS
    clock: str | None = None
    vsock: bool = True
    console: bool = False
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Places:
    """The files in a machine's folder through which it is spoken to."""

    folder: Path

    @property
    def serial(self) -> Path:
        """All that the guest writes to its first serial port."""
        return self.folder / "serial.log"

    @property
    def console(self) -> Path:
        """The socket into which is typed."""
        return self.folder / "console"

    @property
    def qmp(self) -> Path:
        """The socket of the machine protocol."""
        return self.folder / "qmp"

    @property
    def vhost(self) -> Path:
        """The socket between qemu and the vsock device."""
        return self.folder / "vhost"

    @property
    def vsock(self) -> Path:
        """The socket to the guest; connections of the guest to port N come to ``vsock_N``."""
        return self.folder / "vsock"

    def port(self, number: int) -> Path:
        """Where the guest's connections to this port of the host arrive."""
        return self.folder / f"vsock_{number}"


def qemu_arguments(plan: MachinePlan, places: Places) -> list[str]:
    """The words after the program's name.

    Raises:
        ValueError: a path with a comma, which separates qemu's options.
    """
    return list(_words(plan, places))


def _words(plan: MachinePlan, places: Places) -> Iterator[str]:
    yield from ("-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(plan.processors))
    memory = f"memory-backend-memfd,id=ram,size={plan.memory_mib}M,share=on"
    yield from ("-object", memory, "-m", f"{plan.memory_mib}M")
    yield from ("-machine", "q35,memory-backend=ram")
    # Not -nographic: SeaBIOS would speak on the serial port then.
    yield from ("-nodefaults", "-display", "none", "-no-reboot", "-nic", "none")
    yield from ("-run-with", "exit-with-parent=on")
    yield from _serial(plan, places)
    yield from ("-qmp", f"unix:{_plain(places.qmp)},server=on,wait=off")
    yield from ("-kernel", str(plan.kernel), "-initrd", str(plan.initrd), "-append", plan.cmdline)
    if plan.firmware is not None:
        yield from ("-bios", str(plan.firmware))
    if plan.clock is not None:
        yield from ("-rtc", f"base={plan.clock}")
    for number, disk in enumerate(plan.disks):
        mode = "on" if disk.read_only else "off"
        file = f"driver=file,filename={_plain(disk.path)},node-name=file{number},read-only={mode}"
        yield from ("-blockdev", file)
        node = f"driver=raw,file=file{number},node-name=disk{number},read-only={mode}"
        yield from ("-blockdev", node, "-device", f"virtio-blk-pci,drive=disk{number}")
    if plan.vsock:
        yield from ("-chardev", f"socket,id=vsock,path={_plain(places.vhost)}")
        yield from ("-device", "vhost-user-vsock-pci,chardev=vsock")
    yield from plan.extra


def _serial(plan: MachinePlan, places: Places) -> Iterator[str]:
    log = _plain(places.serial)
    if plan.console:
        socket = f"path={_plain(places.console)},server=on,wait=off"
        yield from ("-chardev", f"socket,id=console,{socket},logfile={log}")
        yield from ("-serial", "chardev:console")
    else:
        yield from ("-serial", f"file:{log}")


def vsock_arguments(places: Places) -> list[str]:
    """The words after the name of the program that is the vsock device."""
    vhost, vsock = _plain(places.vhost), _plain(places.vsock)
    return ["--vm", f"guest-cid={GUEST_CID},socket={vhost},uds-path={vsock}"]


def _plain(path: Path) -> str:
    if "," in str(path):
        raise ValueError(f"machine: wanted a path without a comma, got {path}")
    return str(path)
