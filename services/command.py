# SPDX-License-Identifier: Apache-2.0
"""What the two command lines share: addresses, the ready line, signals, exit codes.

This file owns the life of a service as a process. It prints `listening on HOST:PORT` once it is
ready, runs until SIGTERM or SIGINT, and lets running exchanges end for a moment.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import sys
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import Final, Protocol

from services.journal import quiet_all
from services.observer import Observation

STOPPED: Final = 0
CANNOT_LISTEN: Final = 1

EXIT_CODES: Final = """\
exit codes:
  0  stopped by SIGTERM or SIGINT
  1  the address cannot be listened on
  2  wrong usage
"""

_LISTEN: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]/\s]+):(0|[1-9][0-9]{0,4})\Z", re.ASCII)


class Service(Protocol):
    """A service that has a port once entered."""

    @property
    def port(self) -> int:
        """The TCP port listened on."""


def listen_address(text: str) -> tuple[str, int]:
    """`HOST:PORT` as an argparse type; an IPv6 host stands in square brackets.

    Raises:
        argparse.ArgumentTypeError: any other spelling.
    """
    match = _LISTEN.match(text)
    if match is None or int(match[2]) > 65535:
        raise argparse.ArgumentTypeError(f"wanted HOST:PORT, got {text!r}")
    return match[1].strip("[]"), int(match[2])


def print_observation(observation: Observation) -> None:
    """An observer that prints each event as one line of JSON."""
    sys.stdout.write(json.dumps(asdict(observation), separators=(",", ":")) + "\n")
    sys.stdout.flush()


def add_service_arguments(parser: argparse.ArgumentParser, *, listen: str) -> None:
    """The arguments every service has."""
    parser.add_argument(
        "--listen",
        type=listen_address,
        default=listen_address(listen),
        metavar="HOST:PORT",
        help=f"address to listen on; port 0 lets the system choose (default {listen})",
    )
    parser.add_argument(
        "--observe",
        action="store_true",
        help="print one line of JSON per finished request: kind, outcome, sizes; nothing else",
    )


def run(service: AbstractAsyncContextManager[Service], host: str) -> int:
    """Run `service` until a signal comes, and return the exit code."""
    quiet_all()
    try:
        asyncio.run(_until_signalled(service, host))
    except OSError as error:
        sys.stderr.write(f"cannot listen: {error.strerror or error}\n")
        return CANNOT_LISTEN
    return STOPPED


async def _until_signalled(service: AbstractAsyncContextManager[Service], host: str) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with service as running:
        name = f"[{host}]" if ":" in host else host
        sys.stdout.write(f"listening on {name}:{running.port}\n")
        sys.stdout.flush()
        await stopped.wait()
