# SPDX-License-Identifier: Apache-2.0
"""The command with a relay behind it: what is printed, kept and shown, and how it ends."""

import asyncio
import base64
import contextlib
import json
import os
import pty
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from attest.receipt import verify_receipt
from sealroom.cli import main
from sealroom.cli_tasks import TEXT_MAX_BYTES
from tests.sealroom.guest import DONE, WORDS, Guest, Reply, head, records
from tests.sealroom.relay import Relay, always, problem
from tests.sealroom.serve import serving_in_thread
from wire.api import EVENT_STREAM, ErrorCode, Failure
from wire.sse import Delta

TEXT = "".join(WORDS)


@pytest.fixture
def relay(guest: Guest) -> Iterator[Relay]:
    with serving_in_thread(Relay(guest)) as relay:
        yield relay


@pytest.fixture
def options(relay: Relay, guest: Guest, tmp_path: Path) -> list[str]:
    """A chat, and whom to trust with it."""
    trust, chat = tmp_path / "trust.yaml", tmp_path / "chat.txt"
    trust.write_bytes(guest.trust_file(relay.url))
    chat.write_text("Ana: where do we meet?\nBo: at the station\n")
    return ["--trust", str(trust), str(chat)]


Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("more", [[], ["--no-stream"]])
def test_in_a_pipe_the_text_is_all_there_is(
    options: list[str], capsys: Capture, more: list[str]
) -> None:
    assert main(["summarize", *more, *options]) == 0
    assert capsys.readouterr() == (f"{TEXT}\n", "")


def test_a_text_is_rewritten(options: list[str], capsys: Capture) -> None:
    assert main(["rewrite", "--tone", "shorter", *options]) == 0
    assert capsys.readouterr() == (f"{TEXT}\n", "")


def test_only_the_last_messages_are_sent(
    options: list[str], relay: Relay, guest: Guest, capsys: Capture
) -> None:
    assert main(["summarize", "--last", "1", *options]) == 0
    content = json.loads(guest.open(relay.posts[0]).request.content)
    assert [message["sender"] for message in content["messages"]] == ["Bo"]
    assert capsys.readouterr().out


def test_json_tells_all_of_an_answer(options: list[str], guest: Guest, capsys: Capture) -> None:
    assert main(["summarize", "--json", *options]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["text"] == TEXT
    assert told["done"]["ms"] == {"queue": 1, "open": 2, "prefill": 3, "decode": 4}
    assert told["guest"]["targets"] == [guest.target]
    assert told["guest"]["checks"]
    assert (told["receipt"]["ended"], told["receipt"]["code"]) == ("exited", 0)
    assert told["timing"]["total"] >= 0


def test_the_receipt_is_kept_and_can_be_checked_later(
    options: list[str], guest: Guest, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "receipt.json"
    assert main(["summarize", "--receipt", str(path), *options]) == 0
    kept = json.loads(path.read_bytes())
    data, signature, evidence = (
        base64.urlsafe_b64decode(kept[name] + "==") for name in ("receipt", "signature", "evidence")
    )
    assert verify_receipt(data, signature, guest.statement.receipt_key).lived_ms == 10
    assert evidence == guest.evidence
    assert path.stat().st_mode & 0o777 == 0o600
    assert main(["summarize", "--receipt", str(path), *options]) == 65
    assert json.loads(path.read_bytes()) == kept
    assert "a new file" in capsys.readouterr().err


def test_a_text_that_is_not_utf_8_is_refused_with_the_place(
    options: list[str], tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "latin.txt").write_bytes("un café".encode("latin-1"))
    arguments = [*options[:-1], str(tmp_path / "latin.txt")]
    assert main(["rewrite", "--tone", "shorter", *arguments]) == 65
    assert "wanted UTF-8, got unexpected end of data at byte 6" in capsys.readouterr().err


def test_what_is_cut_off_is_marked(options: list[str], relay: Relay, capsys: Capture) -> None:
    relay.reply = Reply(final=False)
    assert main(["summarize", *options]) == 64
    assert capsys.readouterr() == (
        f"{TEXT}\n",
        "sealroom: answer: wanted its final chunk, got the end of the stream\n"
        "sealroom: what was printed is not a complete answer\n",
    )


def test_json_has_the_part_that_came(options: list[str], relay: Relay, capsys: Capture) -> None:
    relay.reply = Reply(
        content=(head(200, EVENT_STREAM), *records(Delta("They "), Failure(ErrorCode.DEADLINE)))
    )
    assert main(["summarize", "--json", *options]) == 63
    told = json.loads(capsys.readouterr().out)["error"]
    assert (told["code"], told["partial"]) == ("deadline", "They ")


def test_the_relay_can_be_another_than_the_trust_files(
    options: list[str], relay: Relay, guest: Guest, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "trust.yaml").write_bytes(guest.trust_file("https://relay.example"))
    assert main(["summarize", "--relay", relay.url, *options]) == 0
    assert capsys.readouterr().out == f"{TEXT}\n"


def test_a_text_over_the_limit_is_not_read_to_its_end(
    options: list[str], relay: Relay, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "chat.txt").write_bytes(b"x" * (TEXT_MAX_BYTES + 1))
    assert main(["rewrite", "--tone", "shorter", *options]) == 65
    assert f"at most {TEXT_MAX_BYTES} bytes" in capsys.readouterr().err
    assert relay.fetched == 0


def test_busy_has_its_exit_code_and_its_time(
    options: list[str], relay: Relay, capsys: Capture
) -> None:
    relay.on_post = always(lambda: problem(503, "busy", Retry_After="2"))
    assert main(["summarize", "--json", *options]) == 61
    told = json.loads(capsys.readouterr().out)["error"]
    assert (told["kind"], told["retry_after_s"]) == ("Busy", 2)


def test_text_cannot_steer_the_terminal(options: list[str], relay: Relay, capsys: Capture) -> None:
    relay.reply = Reply(
        content=(head(200, EVENT_STREAM), *records(Delta("a\x1b[2Jb\x9bc\n\td\u202e"), DONE))
    )
    assert main(["summarize", *options]) == 0
    assert capsys.readouterr().out == "a\ufffd[2Jb\ufffdc\n\td\ufffd\n"


@pytest.mark.parametrize("folder", ["none", "chat.txt"])
def test_a_receipt_that_cannot_be_written_is_told(
    options: list[str], tmp_path: Path, capsys: Capture, folder: str
) -> None:
    path = tmp_path / folder / "receipt.json"
    assert main(["summarize", "--receipt", str(path), *options]) == 65
    assert "receipt.json: wanted a new file" in capsys.readouterr().err


def test_a_terminal_is_shown_the_phases(options: list[str], capsys: Capture) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal, contextlib.redirect_stderr(terminal):
        assert main(["summarize", *options]) == 0
        told = b""  # the kernel may hand over a terminal's output in pieces
        while b"its room lived" not in told or not told.endswith(b"\n"):
            told += os.read(ours, 65536)
    os.close(ours)
    shown = told.decode()
    assert capsys.readouterr().out == f"{TEXT}\n"
    said = [shown.index(f"{phase} …") for phase in ("verifying", "sealing", "waiting")]
    assert said == sorted(said)
    assert "its room lived 10 ms" in shown.splitlines()[-1]


def test_an_interrupt_ends_it_quietly(options: list[str], relay: Relay, capsys: Capture) -> None:
    main_thread = threading.main_thread().ident
    assert main_thread is not None

    async def interrupt(_request: web.Request, _body: bytes) -> web.Response:
        signal.pthread_kill(main_thread, signal.SIGINT)
        await asyncio.sleep(5)
        return web.Response()

    relay.on_post = interrupt
    assert main(["summarize", *options]) == 130
    assert capsys.readouterr() == ("", "")
    assert [thread for thread in threading.enumerate() if thread.name == "sealroom"] == []


def test_a_reader_that_goes_away_ends_it_quietly(options: list[str], capsys: Capture) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe, contextlib.redirect_stdout(pipe):
        assert main(["summarize", *options]) == 141
    assert capsys.readouterr().err == ""


def test_the_package_is_the_command(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(sys, "argv", ["sealroom", "--version"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("sealroom", run_name="__main__")
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("sealroom ")


def test_the_quickstart_runs_as_it_is_written(options: list[str]) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(root / "examples" / "quickstart.py"), *options[1:]],
        capture_output=True,
        env={"PYTHONPATH": str(root), "LANG": "C.UTF-8"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert TEXT in done.stdout.decode()
