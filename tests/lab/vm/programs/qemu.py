# SPDX-License-Identifier: Apache-2.0
"""Stands in for qemu: takes its words, and plays the guest that the kernel command line names.

The words of that: ``ready`` and ``off`` are told to the journal, the second ends the machine;
``strange`` is a line that is no event; ``silent`` ends at once; ``print`` writes to the console.
"""

import json
import os
import socket
import sys
import time
from pathlib import Path


def option(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1]


def main() -> None:
    played = option("-append").split()
    if "silent" in played:
        sys.exit("qemu: no such machine")
    qmp = Path(option("-qmp").removeprefix("unix:").partition(",")[0])
    memory = os.memfd_create("memory-backend-memfd")
    os.ftruncate(memory, int(option("-m").removesuffix("M")) << 20)
    serial = Path(option("-serial").removeprefix("file:"))
    serial.write_bytes(b"a line on the console\n" if "print" in played else b"")
    with socket.socket(socket.AF_UNIX) as control, socket.socket(socket.AF_UNIX) as journal:
        control.bind(str(qmp))
        control.listen()
        journal.connect(str(qmp.parent / "vsock_5001"))
        for word in played:
            event = {"ready": "ready", "off": "power-off"}.get(word)
            if event is not None:
                journal.sendall(json.dumps({"event": event}).encode("ascii") + b"\n")
            if word == "strange":
                journal.sendall(b"Traceback\n")
        if "off" not in played:
            link, _ = control.accept()
            with link, link.makefile("rb") as lines:
                link.sendall(b'{"QMP": {}}\n')
                for line in lines:
                    status = {"status": "running"} if b"query-status" in line else {}
                    link.sendall(json.dumps({"return": status}).encode("ascii") + b"\n")
            time.sleep(3600)


if __name__ == "__main__":
    main()
