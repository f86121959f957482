# SPDX-License-Identifier: Apache-2.0
"""Both services as processes: the ready line, signals, exit codes, and what they write."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.command import listen_address
from tests.services.peer import Peer, listening
from tests.services.plain_http import CHUNKED, PATH, PATIENCE_S, ask, connected
from tests.services.relays import free_port

READY = re.compile(rb"listening on 127\.0\.0\.1:([0-9]+)\n")
USAGE = {
    "services.relay": ("--gateway", "http://127.0.0.1:1"),
    "services.ingress": ("--guest", "tcp:127.0.0.1:1"),
}


class Running:
    """A service that has printed its ready line."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port

    async def stop(self, number: signal.Signals) -> tuple[int, bytes, bytes]:
        """Send the signal; the exit code, the rest of stdout, all of stderr."""
        self.process.send_signal(number)
        out, err = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, out, err


@asynccontextmanager
async def started(module: str, *arguments: str) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, "--listen", "127.0.0.1:0", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            ready = READY.fullmatch(await process.stdout.readline())
            assert ready is not None
            yield Running(process, int(ready[1]))
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def test_the_whole_path_runs_as_processes_and_says_only_sizes() -> None:
    async def run() -> list[tuple[int, bytes, bytes]]:
        async with (
            listening(Peer()) as guest,
            started(
                "services.ingress", "--observe", "--guest", f"tcp:{guest.host}:{guest.port}"
            ) as ingress,
            started(
                "services.relay", "--observe", "--gateway", f"http://127.0.0.1:{ingress.port}"
            ) as relay,
        ):
            head, content = await ask(relay.port, "POST", PATH, {"Content-Type": CHUNKED}, b"echo")
            assert (head.status, content) == (200, b"echo")
            return [await relay.stop(signal.SIGTERM), await ingress.stop(signal.SIGINT)]

    seen = {"kind": "exchange", "outcome": "complete", "bytes_in": 4, "bytes_out": 4}
    for code, out, err in asyncio.run(run()):
        assert (code, [json.loads(line) for line in out.splitlines()], err) == (0, [seen], b"")


@pytest.mark.parametrize("module", USAGE)
def test_nothing_is_written_about_hostile_clients(module: str) -> None:
    async def run() -> tuple[int, bytes, bytes]:
        async with started(module, *USAGE[module]) as service:
            for garbage in (
                b"\x16\x03\x01\x02\x00",
                b"GET /%zz HTTP/9\r\n\r\n",
                b"POST / HTTP/1.1",
            ):
                async with connected(service.port) as client:
                    await client.send(garbage)
                    client.writer.transport.abort()
            await ask(service.port, "POST", PATH, {"Content-Type": CHUNKED}, b"sealed")
            return await service.stop(signal.SIGTERM)

    assert asyncio.run(run()) == (0, b"", b"")


@pytest.mark.parametrize("module", USAGE)
def test_an_address_in_use_is_exit_code_1(module: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", module, "--listen", f"127.0.0.1:{port}", *USAGE[module]],
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"cannot listen: ")


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("services.relay", []),
        ("services.relay", ["--gateway", "gateway.example"]),
        ("services.relay", ["--gateway", "http://gateway.example/path"]),
        ("services.relay", ["--listen", "8080", "--gateway", "http://gateway.example"]),
        ("services.ingress", []),
        ("services.ingress", ["--guest", "127.0.0.1:9000"]),
        ("services.relay.nginx", ["--listen", "127.0.0.1:1", "--gateway", "a", "--state", "/run"]),
    ],
)
def test_wrong_usage_is_exit_code_2(module: str, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"error: " in done.stderr


def test_the_nginx_configuration_is_printed() -> None:
    arguments = ["--listen", f"127.0.0.1:{free_port()}", "--gateway", "http://gateway.example"]
    done = subprocess.run(
        [sys.executable, "-m", "services.relay.nginx", *arguments, "--state", "/run/relay"],
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert b"proxy_pass http://gateway;" in done.stdout


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("localhost:65535", ("localhost", 65535)),
        ("[::1]:80", ("::1", 80)),
    ],
)
def test_an_address_to_listen_on_is_read(text: str, address: tuple[str, int]) -> None:
    assert listen_address(text) == address


@given(st.one_of(st.text(), st.from_regex(r"[a-z]+:[0-9]{1,6}")))
def test_any_text_is_an_address_to_listen_on_or_a_usage_error(text: str) -> None:
    try:
        host, port = listen_address(text)
    except argparse.ArgumentTypeError:
        return
    assert text in {f"{host}:{port}", f"[{host}]:{port}"}
