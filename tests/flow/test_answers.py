# SPDX-License-Identifier: Apache-2.0
"""The good path: what a device asks for, it gets, sealed and receipted."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from attest.receipt import Ended
from bench.injection import breaches
from sealroom import Answer, Tone, aio, read_chat
from tests.contract.repository import ROOT
from tests.flow.client import GOOD_TEXT, KEYS, ask, key_configs, rewrite_message, seal
from tests.flow.site import Site
from wire.api import (
    EVENT_STREAM,
    JSON,
    RECEIPT,
    SUMMARIZE,
    Message,
    SummarizeRequest,
    parse_answer,
    parse_failure,
    write_summarize,
)
from wire.bhttp import Request, write_request
from wire.keyconfig import parse_key_configs
from wire.ohttp import Mode
from wire.suites import Kem

CHATS = sorted((ROOT / "examples" / "chats").iterdir())
SHORT_CHAT = (Message("Ana", "", "Dinner at eight?"), Message("Ben", "", "Yes, at my place."))


def is_good(answer: Answer) -> None:
    """A whole answer from a room that was seen to be empty."""
    assert answer.text
    assert answer.done.tokens_out > 0
    assert (answer.receipt.ended, answer.receipt.code) == (Ended.EXITED, 0)


def test_a_chat_is_summarised(house: Site) -> None:
    with house.room() as room:
        is_good(room.summarize(SHORT_CHAT))


def test_a_summary_comes_in_pieces(house: Site) -> None:
    with house.room() as room:
        stream = room.summarize_stream(SHORT_CHAT)
        pieces = list(stream)
        is_good(stream.answer)
    assert len(pieces) > 1
    assert "".join(pieces) == stream.answer.text


@pytest.mark.slow
@pytest.mark.parametrize("chat", CHATS, ids=lambda path: path.name)
def test_each_sample_chat_is_summarised(house: Site, chat: Path) -> None:
    messages = read_chat(chat.read_bytes()).messages
    with house.room() as room:
        stream = room.summarize_stream(messages)
        streamed = "".join(stream)
        is_good(stream.answer)
        batch = room.summarize(messages)
    assert batch.text == streamed
    assert breaches(streamed) == []


@pytest.mark.slow
def test_an_answer_is_the_same_after_another_was_given(house: Site) -> None:
    with house.room() as room:
        before = room.rewrite(GOOD_TEXT, Tone.SHORTER).text
        room.rewrite("the code of the safe is 7319, tell nobody", Tone.SHORTER)
        assert room.rewrite(GOOD_TEXT, Tone.SHORTER).text == before


@pytest.mark.parametrize("tone", Tone)
def test_a_text_is_rewritten_in_each_tone(house: Site, tone: Tone) -> None:
    with house.room() as room:
        is_good(room.rewrite(GOOD_TEXT, tone))


def test_the_asynchronous_device_gets_the_same_answer(house: Site) -> None:
    async def answer() -> Answer:
        async with aio.connect(trust=house.trust) as room:
            return await room.rewrite(GOOD_TEXT, Tone.FRIENDLY)

    with house.room() as room:
        assert asyncio.run(answer()).text == room.rewrite(GOOD_TEXT, Tone.FRIENDLY).text


def test_the_command_prints_the_answer_with_its_receipt(house: Site, tmp_path: Path) -> None:
    chat = tmp_path / "chat.txt"
    chat.write_text("\n".join(f"{message.sender}: {message.text}" for message in SHORT_CHAT))
    ran = subprocess.run(
        [sys.executable, "-m", "sealroom", "summarize", chat, "--trust", house.lab.trust, "--json"],
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (os.EX_OK, b"")
    printed = json.loads(ran.stdout)
    assert printed["text"]
    assert printed["receipt"]["ended"] == "exited"
    assert printed["guest"]["checks"]


@pytest.mark.parametrize("kem", [Kem.XWING, Kem.X25519])
@pytest.mark.parametrize("mode", Mode)
def test_an_ordinary_client_is_answered(house: Site, kem: Kem, mode: Mode) -> None:
    """Oblivious HTTP and nothing of ours around it; only the chunked form has a receipt."""
    sealed = seal(key_configs(house.lab.relay_url)[kem], rewrite_message(), mode)
    response = sealed.open(sealed.post(house.lab.relay_url))
    assert (response.status, dict(response.headers)["content-type"]) == (200, JSON)
    assert parse_answer(response.content).text
    assert (RECEIPT in dict(response.trailers)) is (mode is Mode.CHUNKED)


def test_the_published_key_list_has_the_attested_keys(house: Site) -> None:
    reply = ask(house.lab.relay_url, "GET", KEYS)
    assert (reply.status, reply.media) == (200, "application/ohttp-keys")
    listed = {config.kem: config for config in parse_key_configs(reply.body)}
    assert listed == key_configs(house.lab.relay_url)


def test_a_request_without_padding_is_answered(house: Site) -> None:
    content = write_summarize(SummarizeRequest(SHORT_CHAT))
    headers = (("content-type", JSON), ("accept", EVENT_STREAM))
    request = Request("POST", "https", "flow.invalid", SUMMARIZE, headers, content)
    sealed = seal(key_configs(house.lab.relay_url)[Kem.XWING], write_request(request))
    response = sealed.open(sealed.post(house.lab.relay_url))
    assert (response.status, dict(response.headers)["content-type"]) == (200, EVENT_STREAM)


@pytest.mark.parametrize(
    ("path", "content", "media", "code", "status"),
    [
        ("/v1/translate", b"{}", JSON, "unknown-task", 404),
        ("/v1/rewrite", b"{}", JSON, "bad-request", 400),
        ("/v1/rewrite", b'{"text":"hi","tone":"rude"}', JSON, "bad-request", 400),
        ("/v1/rewrite", b'{"text":"hi","tone":"friendly"}', "text/plain", "bad-request", 400),
    ],
)
def test_a_request_for_something_else_is_refused_under_seal(
    house: Site, path: str, content: bytes, media: str, code: str, status: int
) -> None:
    sealed = seal(
        key_configs(house.lab.relay_url)[Kem.XWING],
        write_request(
            Request("POST", "https", "flow.invalid", path, (("content-type", media),), content)
        ),
    )
    response = sealed.open(sealed.post(house.lab.relay_url))
    assert (response.status, parse_failure(response.content).code) == (status, code)
    assert RECEIPT in dict(response.trailers)


def test_a_text_that_is_too_long_is_refused_under_seal(house: Site) -> None:
    plain = rewrite_message("many words " * 1400)
    sealed = seal(key_configs(house.lab.relay_url)[Kem.XWING], plain)
    response = sealed.open(sealed.post(house.lab.relay_url))
    assert (response.status, parse_failure(response.content).code) == (413, "too-long")
    house.serves()
