# SPDX-License-Identifier: Apache-2.0
"""A guest on an ordinary host: ``python -m lab.guest``, `guest.init` on a mock platform.

Prints ``listening on HOST:PORT`` when the socket is bound and ``ready`` when every process is.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from pathlib import Path
from typing import Final

from guest import faults, selftest
from guest.config import CONFIG_MAX_BYTES, ConfigError
from guest.door import Process
from guest.init import PROGRAMS, Init, LackingError
from guest.worker.tasks import prompts_digest

BACKLOG: Final = 128


def listen(where: str) -> socket.socket:
    """Bind ``HOST:PORT`` or ``vsock:PORT`` (any context id)."""
    kind, _, port = where.rpartition(":")
    if kind == "vsock":
        bound = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        bound.bind((socket.VMADDR_CID_ANY, int(port)))
    else:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((kind, int(port)))
    bound.listen(BACKLOG)
    return bound


def main() -> int:
    """Run until SIGTERM or Ctrl-C; 1 if the configuration or the socket cannot be used.

    Also 1 if the configuration is a production guest's, for a lab lacks much of what that wants.
    """
    parser = argparse.ArgumentParser(prog="python -m lab.guest", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the guest's YAML document")
    parser.add_argument("--model", type=Path, required=True, help="the GGUF file")
    parser.add_argument("--mock", required=True, help="the mock platform, as JSON (lab.mocktsm)")
    parser.add_argument("--listen", default="127.0.0.1:0", help="HOST:PORT or vsock:PORT")
    parser.add_argument(
        "--program",
        action="append",
        default=[],
        metavar="PROCESS=MODULE",
        help="run another module for one of the processes (for tests)",
    )
    given = parser.parse_args()
    programs = {**PROGRAMS, Process.KEYHOLDER: ("lab.keyholder", given.mock)}
    for item in given.program:
        name, _, module = item.partition("=")
        programs[Process(name)] = (module, *programs[Process(name)][1:])
    try:
        listener = listen(given.listen)
        with given.config.open("rb") as file:
            document = file.read(CONFIG_MAX_BYTES + 1)
        init = Init(
            document,
            model=os.open(given.model, os.O_RDONLY | os.O_CLOEXEC),
            prompts=prompts_digest(),
            lacking=selftest.lacking(),
            listener=listener,
            programs=programs,
            on_ready=lambda: print("ready", flush=True),
        )
    except (OSError, ConfigError, LackingError, ValueError) as error:
        print(f"lab.guest: {error}", file=sys.stderr)
        return 1
    name = listener.getsockname()
    print(f"listening on {name[0]}:{name[1]}", flush=True)
    faults.install(Process.INIT)  # no traceback of a guest is printed
    init.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
