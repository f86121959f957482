# SPDX-License-Identifier: Apache-2.0
"""What only a strange server does: answer too early, stay silent, or show a wrong certificate."""

import asyncio
import contextlib
import datetime
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sealroom import AlteredError, Busy, Deadline, SealroomError, Timeouts, Unreachable
from sealroom.transport import RESPONSE_MAX_BYTES, Body, Transport
from wire.ohttp import Mode

SHORT = Timeouts(connect_s=0.2, evidence_s=1, first_byte_s=1, idle_s=1, total_s=5)
BUSY = b'{"status":503,"title":"busy","type":"about:blank"}'
EARLY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: %d\r\n\r\n%b"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def outcome(
    serve: Serve,
    *,
    tls: ssl.SSLContext | None = None,
    scheme: str = "http",
    body: bytes = b"x",
    use: Callable[[Body], Awaitable[None]] | None = None,
) -> SealroomError:
    """The error of a request to a server that does `serve` with each connection."""

    async def run() -> None:
        served: list[asyncio.Task[None] | None] = []

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            served.append(asyncio.current_task())
            await serve(reader, writer)
            with contextlib.suppress(ConnectionError):
                while await reader.read(65536):
                    pass
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        transport = Transport(f"{scheme}://127.0.0.1:{port}", SHORT)
        try:
            answer = await transport.post("0" * 16, body)
            if use is not None:
                await use(answer)
        finally:
            await transport.aclose()
            await asyncio.gather(*filter(None, served))
            server.close()

    with pytest.raises(SealroomError) as caught:
        asyncio.run(run())
    return caught.value


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says nothing at all."""


def test_an_answer_is_read_up_to_its_limit() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"0\r\n\r\n")
        media = Mode.CHUNKED.response_media.encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n\r\n" % media)
        with contextlib.suppress(ConnectionError):
            for _ in range(RESPONSE_MAX_BYTES // 65536 + 100):
                writer.write(b"x" * 65536)
                await writer.drain()

    async def read(body: Body) -> None:
        while await body.read():
            pass

    error = outcome(flood, use=read)
    assert isinstance(error, AlteredError)
    assert error.wanted == f"at most {RESPONSE_MAX_BYTES} bytes"


@pytest.mark.parametrize("size", [10, 300_000])
def test_a_refusal_that_comes_before_the_request_was_read_is_read(size: int) -> None:
    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(EARLY % (len(BUSY), BUSY))
        await writer.drain()

    error = outcome(early, body=b"x" * size)
    assert isinstance(error, Busy)
    assert error.retry_after_s == 2


def test_a_connection_that_is_cut_before_the_reply_is_unreachable() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    assert isinstance(outcome(cut, body=b"x" * 300_000), Unreachable)


@pytest.mark.parametrize(
    "reply",
    [
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 " + b"y" * 10_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=["no HTTP", "long field", "long line", "bad length"],
)
def test_a_reply_that_is_not_http_is_unreachable(reply: bytes) -> None:
    async def strange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)

    assert isinstance(outcome(strange), Unreachable)


def test_a_handshake_that_never_ends_is_a_deadline() -> None:
    error = outcome(silent, scheme="https")
    assert isinstance(error, Deadline)
    assert error.limit_s == SHORT.connect_s


def test_a_relay_with_a_certificate_of_its_own_making_is_unreachable(tmp_path: Path) -> None:
    error = outcome(silent, tls=self_signed(tmp_path), scheme="https")
    assert isinstance(error, Unreachable)
    assert error.got == "ClientConnectorCertificateError"


def self_signed(folder: Path) -> ssl.SSLContext:
    """TLS with a certificate for 127.0.0.1 that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "relay.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
