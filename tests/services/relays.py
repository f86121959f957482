# SPDX-License-Identifier: Apache-2.0
"""The two relays under test: ours in Python, and nginx with our configuration."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.limits import Limits
from services.relay import Relay
from services.relay.nginx import Installation, render
from tests.services.plain_http import (
    CHUNKED,
    CHUNKED_RES,
    PATH,
    PATIENCE_S,
    Client,
    Gateway,
    GatewayScript,
    connected,
    gateway,
)

PACKAGES = "nginx-light libnginx-mod-http-headers-more-filter"
MODULE = "ngx_http_headers_more_filter_module.so"
MODULE_FOLDERS = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules")
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
FOUND_MODULE = next(
    (str(Path(folder, MODULE)) for folder in MODULE_FOLDERS if Path(folder, MODULE).exists()), None
)

ANSWER_HEAD = (
    f"HTTP/1.1 200 OK\r\nContent-Type: {CHUNKED_RES}\r\nTransfer-Encoding: chunked\r\n\r\n"
).encode()
STREAMING = {"Content-Type": CHUNKED, "Transfer-Encoding": "chunked"}

# Python, nginx: what a relay test runs against. In CI both must be there.
kinds = pytest.mark.parametrize(
    "kind",
    [
        "python",
        pytest.param(
            "nginx",
            marks=pytest.mark.skipif(
                (NGINX is None or FOUND_MODULE is None) and "CI" not in os.environ,
                reason=f"THE NGINX RELAY WAS NOT TESTED: apt-get install {PACKAGES}",
            ),
        ),
    ],
)


@asynccontextmanager
async def relaying(
    kind: str, gateway_port: int, limits: Limits | None = None
) -> AsyncIterator[int]:
    """A relay to the gateway on `gateway_port`; gives the port it listens on."""
    gateway = f"http://127.0.0.1:{gateway_port}"
    if kind == "python":
        async with Relay(gateway, limits=limits) as relay:
            yield relay.port
    else:
        async with _nginx(gateway, limits or Limits()) as port:
            yield port


@asynccontextmanager
async def _nginx(gateway: str, limits: Limits) -> AsyncIterator[int]:
    assert NGINX is not None, f"apt-get install {PACKAGES}"
    port = free_port()
    with tempfile.TemporaryDirectory() as state:
        configuration = _configured(state, port, gateway, limits)
        process = await asyncio.create_subprocess_exec(
            NGINX, "-e", "stderr", "-c", configuration, stderr=asyncio.subprocess.PIPE
        )
        try:
            await _accepting(port, process)
            yield port
        finally:
            if process.returncode is None:
                process.terminate()
            _, said = await process.communicate()
        assert said == b""  # an error log would contain addresses


def _configured(state: str, port: int, gateway: str, limits: Limits) -> str:
    assert FOUND_MODULE is not None, f"apt-get install {PACKAGES}"
    installation = Installation(
        listen=("127.0.0.1", port), gateway=gateway, state=state, module=FOUND_MODULE, limits=limits
    )
    configuration = Path(state, "relay.conf")
    configuration.write_text(render(installation), encoding="utf-8")
    return str(configuration)


async def _accepting(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(20):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                await writer.wait_closed()
                return
    raise AssertionError("nginx ended at once")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@asynccontextmanager
async def asked(
    kind: str, script: GatewayScript, limits: Limits | None = None
) -> AsyncIterator[tuple[Gateway, Client]]:
    """A client whose streaming request has been started through a relay to `script`."""
    async with (
        asyncio.timeout(PATIENCE_S),
        gateway(script) as upstream,
        relaying(kind, upstream.port, limits) as port,
        connected(port) as client,
    ):
        await client.start("POST", PATH, STREAMING)
        yield upstream, client
