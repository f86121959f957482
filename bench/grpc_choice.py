# SPDX-License-Identifier: Apache-2.0
"""Which gRPC server goes into the guest: grpcio or grpclib (docs/adr/0005).

Run as `python -m bench.grpc_choice`; prints a table and keeps bench/results/grpc_choice.json.
Each server is a process of its own that echoes guest.proto's Exchange; each is driven by the same
two clients, so that a difference between two rows of one client is the server's. What is counted
as installed leaves out protobuf, which both need, and compiled .pyc files.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.metadata
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from guestapi.guest_pb2 import ExchangeIn, ExchangeOut

RESULT = Path(__file__).parent / "results" / "grpc_choice.json"
METHOD = "/sealroom.guest.v1.Guest/Exchange"
SERVERS = ("grpcio", "grpclib")
CLOSURE = {
    "grpcio": ("grpcio", "typing_extensions"),
    "grpclib": ("grpclib", "h2", "hpack", "hyperframe", "multidict"),
}
CHUNK = b"x" * 1024
ROUND_TRIPS = 2000
CHUNKS = 10000
REPEATS = 3


# Each process loads only the implementation it measures.
def loaded(name: str) -> Any:
    return importlib.import_module(name)


async def serve_grpclib() -> object:
    server_module, const = loaded("grpclib.server"), loaded("grpclib.const")

    async def exchange(stream: Any) -> None:
        while (message := await stream.recv_message()) is not None:
            await stream.send_message(ExchangeOut(chunk=message.chunk))

    class Echo:
        def __mapping__(self) -> dict[str, Any]:
            shape = const.Cardinality.STREAM_STREAM
            return {METHOD: const.Handler(exchange, shape, ExchangeIn, ExchangeOut)}

    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        server = server_module.Server([Echo()])
        await server.start(sock=listener.dup())
    return server


async def serve_grpcio() -> object:
    grpc = loaded("grpc")

    async def exchange(requests: AsyncIterator[Any], _: Any) -> AsyncIterator[Any]:
        async for message in requests:
            yield ExchangeOut(chunk=message.chunk)

    handler = grpc.stream_stream_rpc_method_handler(
        exchange, ExchangeIn.FromString, ExchangeOut.SerializeToString
    )
    service, method = METHOD[1:].split("/")
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {method: handler}),)
    )
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    return server


async def serve(kind: str) -> None:
    """Serve until killed. The server object is kept: grpcio stops one that nobody refers to."""
    kept = await (serve_grpclib() if kind == "grpclib" else serve_grpcio())
    await asyncio.Event().wait()
    del kept


Ping = Callable[[], Awaitable[None]]


async def measure(exchange: Callable[[int], Awaitable[None]], ping: Ping) -> dict[str, float]:
    """Round trip of one chunk, and chunks per second when the client does not wait."""
    await ping()
    times = []
    for _ in range(ROUND_TRIPS):
        start = time.perf_counter_ns()
        await ping()
        times.append((time.perf_counter_ns() - start) / 1000)
    rates = []
    for _ in range(REPEATS):
        start_s = time.perf_counter()
        await exchange(CHUNKS)
        rates.append(CHUNKS / (time.perf_counter() - start_s))
    return {
        "round_trip_us_median": round(statistics.median(times), 1),
        "round_trip_us_p99": round(statistics.quantiles(times, n=100)[98], 1),
        "chunks_per_s_median": round(statistics.median(rates)),
    }


async def by_grpclib(port: int) -> dict[str, float]:
    async with loaded("grpclib.client").Channel("127.0.0.1", port) as channel:
        stub = loaded("guestapi.guest_grpc").GuestStub(channel)
        async with stub.Exchange.open() as stream:

            async def ping() -> None:
                await stream.send_message(ExchangeIn(chunk=CHUNK))
                await stream.recv_message()

            async def exchange(count: int) -> None:
                async with stub.Exchange.open() as flood:
                    await flood.send_request()

                    async def send() -> None:
                        for _ in range(count):
                            await flood.send_message(ExchangeIn(chunk=CHUNK))
                        await flood.end()

                    sending = asyncio.create_task(send())
                    for _ in range(count):
                        await flood.recv_message()
                    await sending

            result = await measure(exchange, ping)
            await stream.end()
    return result


async def by_grpcio(port: int) -> dict[str, float]:
    grpc = loaded("grpc")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.stream_stream(METHOD, ExchangeIn.SerializeToString, ExchangeOut.FromString)
        stream = call()

        async def ping() -> None:
            await stream.write(ExchangeIn(chunk=CHUNK))
            await stream.read()

        async def exchange(count: int) -> None:
            flood = call()

            async def send() -> None:
                for _ in range(count):
                    await flood.write(ExchangeIn(chunk=CHUNK))
                await flood.done_writing()

            sending = asyncio.create_task(send())
            for _ in range(count):
                await flood.read()
            await sending

        result = await measure(exchange, ping)
        await stream.done_writing()
    return result


Client = Callable[[int], Coroutine[Any, Any, dict[str, float]]]
CLIENTS: dict[str, Client] = {"grpclib": by_grpclib, "grpcio": by_grpcio}


def installed(names: tuple[str, ...]) -> dict[str, int]:
    """Bytes on disk of these distributions, and how much of it is native code."""
    files = [
        path
        for name in names
        for path in map(Path, map(str, located(name)))
        if path.suffix != ".pyc" and path.exists()
    ]
    native = [path for path in files if ".so" in path.suffixes or path.name.endswith(".so")]
    python = [path for path in files if path.suffix == ".py"]
    return {
        "installed_bytes": sum(path.stat().st_size for path in files),
        "native_bytes": sum(path.stat().st_size for path in native),
        "python_lines": sum(len(path.read_bytes().splitlines()) for path in python),
    }


def located(name: str) -> list[Any]:
    distribution = importlib.metadata.distribution(name)
    return [distribution.locate_file(file) for file in distribution.files or ()]


def vsock() -> dict[str, str]:
    """Whether each server takes an AF_VSOCK address on this machine."""
    grpc = loaded("grpc")
    try:
        port = grpc.server(None).add_insecure_port("vsock:4294967295:5000")
        of_grpcio = f"bound port {port}"
    except RuntimeError as error:
        of_grpcio = f"refused: {error}"

    async def bind() -> str:
        with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as listener:
            listener.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
            listener.setblocking(False)
            server = loaded("grpclib.server").Server([])
            await server.start(sock=listener)
            accepting = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            server.close()
            await server.wait_closed()
            return "listening" if accepting else "bound, not listening"

    try:
        of_grpclib = asyncio.run(bind())
    except OSError as error:
        of_grpclib = f"refused: {error}"
    return {"grpcio": of_grpcio, "grpclib": of_grpclib}


def process_state(pid: int) -> dict[str, int]:
    """Resident memory and threads of a server."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {"rss_kib": int(fields["VmRSS"].split()[0]), "threads": int(fields["Threads"])}


def server_result(kind: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.grpc_choice", "--serve", kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            asyncio.run(greeted(port))
            started = process_state(process.pid)
            clients = {name: driven(process.pid, port, client) for name, client in CLIENTS.items()}
            loaded_state = process_state(process.pid)
        finally:
            process.terminate()
    return {"started": started, "after_load": loaded_state, "by_client": clients}


def driven(pid: int, port: int, client: Client) -> dict[str, float]:
    """What the client saw, and the processor time that the server spent on each chunk.

    The latter hardly depends on what else the machine does at the time.
    """
    before = cpu_us(pid)
    seen = asyncio.run(client(port))
    chunks = 1 + ROUND_TRIPS + REPEATS * CHUNKS
    return seen | {"server_cpu_us_per_chunk": round((cpu_us(pid) - before) / chunks, 1)}


def cpu_us(pid: int) -> float:
    """User and system time of a process in microseconds, proc_pid_stat(5) fields 14 and 15."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")


async def greeted(port: int) -> None:
    """Connect once, so that the server is up when its memory is read."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.5)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.grpc_choice", description=__doc__)
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    kind = parser.parse_args().serve
    if kind is not None:
        asyncio.run(serve(kind))
        return 0
    result = {
        "machine": {
            "cpus": os.cpu_count(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "load_average_before": os.getloadavg()[0],
        },
        "versions": {
            name: importlib.metadata.version(name) for name in ("grpcio", "grpclib", "h2")
        },
        "load": {"chunk_bytes": len(CHUNK), "round_trips": ROUND_TRIPS, "chunks": CHUNKS},
        "vsock": vsock(),
        "servers": {kind: installed(CLOSURE[kind]) | server_result(kind) for kind in SERVERS},
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
