# SPDX-License-Identifier: Apache-2.0
"""Looks around inside a booted image, for what the host put there, and tells the host.

It stands in the place of `lab.vm.inside`, is started the same way and speaks to the same port. It
imports what is in the image and nothing of ours.
"""

from __future__ import annotations

import ctypes
import json
import socket
import time
from pathlib import Path
from typing import Any

PORT = 5003
POLL_S = 0.02
READY_MAX_S = 600.0
FILE_MAX_BYTES = 65536
LOG_BYTES = 1 << 20
SEND_MAX_S = 30.0
READ_ALL = 3  # syslog(2)
FIRMWARE = Path("/sys/firmware")
BUSES = Path("/sys/bus")
CLASSES = Path("/sys/class")
PROC = Path("/proc")

_LIBC = ctypes.CDLL(None, use_errno=True)


def kernel_log() -> str:
    """All that the kernel has said."""
    buffer = ctypes.create_string_buffer(LOG_BYTES)
    size = _LIBC.klogctl(READ_ALL, buffer, LOG_BYTES)
    if size < 0:
        raise OSError(ctypes.get_errno(), "klogctl")
    return buffer.raw[:size].decode("utf-8", "replace")


def devices(bus: str) -> list[list[str]]:
    """The devices of a bus: name, identifiers, driver or nothing."""
    return [_device(BUSES / bus / "devices" / name) for name in names(BUSES / bus / "devices")]


def _device(path: Path) -> list[str]:
    driver = path / "driver"
    bound = driver.readlink().name if driver.is_symlink() else ""
    return [path.name, read(path / "vendor").strip(), read(path / "device").strip(), bound]


def read(path: Path) -> str:
    """A file's text; empty if there is none that can be read."""
    try:
        with path.open("rb", buffering=0) as file:
            return file.read(FILE_MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def names(path: Path) -> list[str]:
    """What is in a folder; nothing if there is none."""
    return sorted(item.name for item in path.iterdir()) if path.is_dir() else []


def said_by_firmware() -> dict[str, str]:
    """Every file of firmware's tables that the kernel shows."""
    return {str(path): read(path) for path in sorted(FIRMWARE.rglob("*")) if path.is_file()}


def look() -> dict[str, Any]:
    """All of it."""
    return {
        "log": kernel_log(),
        "acpi": names(BUSES / "acpi" / "devices"),
        "pci": devices("pci"),
        "virtio": devices("virtio"),
        "interfaces": names(CLASSES / "net"),
        "firmware": said_by_firmware(),
        "classes": names(CLASSES),
        "environment": read(PROC / "1" / "environ"),
        "cmdline": read(PROC / "cmdline"),
        "clock": time.time(),
    }


def _closed() -> bool:
    """Whether PID 1 has made the root file system read-only."""
    mounts = [line.split() for line in read(PROC / "self" / "mounts").splitlines()]
    return any(words[1] == "/" and "ro" in words[3].split(",") for words in mounts)


def main() -> None:
    """Wait until PID 1 has mounted what is needed and closed the root; tell once."""
    until = time.monotonic() + READY_MAX_S
    while not _closed() and time.monotonic() < until:
        time.sleep(POLL_S)
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as host:
        host.settimeout(SEND_MAX_S)
        host.connect((socket.VMADDR_CID_HOST, PORT))
        host.sendall(json.dumps(look()).encode("ascii") + b"\n")
        host.settimeout(None)
        host.recv(1)


if __name__ == "__main__":
    main()
