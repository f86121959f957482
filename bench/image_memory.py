# SPDX-License-Identifier: Apache-2.0
"""How much memory a booted image uses at most: asked of its own kernel, from its start on.

The guest zeroes all memory as it frees it, so pages that were touched say nothing. This program is
put beside PID 1 by an overlay (`lab.vm.probe`), as no process of the guest's, and tells the host
each time when the kernel has less to give than ever before (MemAvailable, proc_meminfo(5)). Run in
the guest it imports nothing but the standard library of the image.
"""

from __future__ import annotations

import json
import os
import socket
import time

PORT = 5004
SAMPLE_S = 0.1
FILE_MAX_BYTES = 65536


def fields(path: str) -> dict[str, int]:
    """The numbers of a file of lines such as ``MemAvailable:  123 kB``, in KiB."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - the image may lack pathlib
        lines = file.read(FILE_MAX_BYTES).decode("ascii", "replace").splitlines()
    rows = (line.partition(":") for line in lines if line.endswith(" kB"))
    return {name: int(value.split()[0]) for name, _, value in rows}


def follow(host: socket.socket, least: int) -> None:
    """Tell the host of every new low."""
    while True:
        seen = fields("/proc/meminfo")
        if seen["MemAvailable"] < least:
            least = seen["MemAvailable"]
            own = fields("/proc/self/status")["RssAnon"]
            row = {"total_kib": seen["MemTotal"], "least_kib": least, "own_kib": own}
            host.sendall(json.dumps(row).encode("ascii") + b"\n")
        time.sleep(SAMPLE_S)


def main() -> None:
    """Sample until the machine is off."""
    while not os.path.exists("/proc/meminfo"):  # noqa: PTH110 - until PID 1 has mounted it
        time.sleep(SAMPLE_S)
    least = fields("/proc/meminfo")["MemTotal"]
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as host:
        host.connect((socket.VMADDR_CID_HOST, PORT))
        follow(host, least)


if __name__ == "__main__":
    main()
