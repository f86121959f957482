# SPDX-License-Identifier: Apache-2.0
"""A process of the guest that crashes tells what kind of crash it was, and never its words.

The real programs are started as init starts them, and told something that makes them raise an
exception whose text is a canary.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guest import sandbox
from guest.channel import Channel, pair
from guest.child import NETWORK
from guest.config import parse_config
from guest.door import Process, Say
from guest.environment import ENVIRONMENT
from guest.faults import KINDS, Kind, Origin, kind_of
from guest.settings import write_sections
from lab.documents import GuestPlan, sha256_of, write_config
from tests.guest.keyholder.hall import IDENTITY

CANARY = "zebra-quartz-5417-mango"
# How each is started: its module, and its argument after the two of `guest.child`.
PROGRAMS = {
    Process.GATE: ("guest.gate",),
    Process.KEYHOLDER: ("lab.keyholder", json.dumps(GuestPlan().mock())),
    Process.ZYGOTE: ("tests.flow.programs.stub",),
}
# As this file would be run: hooks, then one thing that goes wrong with a canary in its text.
INSTALL = f"""
import asyncio, gc, logging, threading, warnings
from guest import faults
from guest.door import Process
faults.install(Process.GATE)
CANARY = {CANARY!r}
def fail():
    raise LookupError(CANARY)
"""
WRONG = {
    "in main": ("fail()", Origin.MAIN, Kind.LOOKUP),
    "in a thread": (
        "t = threading.Thread(target=fail); t.start(); t.join()",
        Origin.THREAD,
        Kind.LOOKUP,
    ),
    "in a destructor": (
        "X = type(CANARY, (), {'__del__': lambda self: fail()})\nX()\ngc.collect()",
        Origin.UNRAISABLE,
        Kind.LOOKUP,
    ),
    "in a callback of the loop": (
        "loop = asyncio.new_event_loop()\nloop.call_soon(fail)\n"
        "loop.call_later(0.01, loop.stop)\nloop.run_forever()\nloop.close()",
        Origin.LOGGED,
        Kind.LOOKUP,
    ),
    "in a task that nobody awaits": (
        "async def task():\n    fail()\n"
        "async def main():\n    asyncio.create_task(task(), name=CANARY)\n"
        "    await asyncio.sleep(0.01)\n    gc.collect()\nasyncio.run(main())",
        Origin.LOGGED,
        Kind.LOOKUP,
    ),
    "logged as an error": ("logging.getLogger(CANARY).error(CANARY)", Origin.LOGGED, Kind.NONE),
}
QUIET = {
    "a warning": "warnings.warn(CANARY, RuntimeWarning)",
    "a log below an error": "logging.getLogger(CANARY).warning(CANARY)",
    "a log that cannot be formatted": "logging.getLogger().warning(CANARY, CANARY)",
    "a coroutine that nobody awaits": "async def zebra(): ...\nzebra()\ngc.collect()",
}


def told_by(program: str) -> list[dict[str, Any]]:
    run = subprocess.run(
        [sys.executable, "-c", INSTALL + program], capture_output=True, text=True, check=False
    )
    assert run.stdout == ""
    return events(run.stderr)


def events(written: str) -> list[dict[str, Any]]:
    """What was written, which must be events and nothing else."""
    assert CANARY not in written
    return [json.loads(line) for line in written.splitlines()]


@pytest.mark.parametrize("what", WRONG)
def test_what_goes_wrong_becomes_one_event(what: str) -> None:
    program, origin, kind = WRONG[what]
    (event,) = told_by(program)
    line = event.pop("line")
    assert line == (0 if kind is Kind.NONE else INSTALL.count("\n"))
    assert event == {"event": "fault", "process": 1, "origin": origin, "kind": kind, "code": 0}


@pytest.mark.parametrize("what", QUIET)
def test_what_libraries_say_besides_is_not_written(what: str) -> None:
    assert told_by(QUIET[what]) == []


def test_an_error_of_the_system_has_its_number() -> None:
    (event,) = told_by("open('/nonexistent/' + CANARY)")
    assert (event["kind"], event["code"]) == (Kind.SYSTEM, 2)


def test_every_kind_of_exception_has_a_number_of_its_own() -> None:
    kinds = [kind for _, kind in KINDS]
    assert sorted([*kinds, Kind.OTHER, Kind.NONE]) == sorted(Kind)
    assert [kind_of(base()) for base, _ in KINDS] == kinds
    assert kind_of(KeyboardInterrupt(CANARY)) is Kind.OTHER


@contextmanager
def started(process: Process) -> Iterator[tuple[subprocess.Popen[bytes], Channel]]:
    """A process of the guest and init's end of its door; it has ended when the block is left."""
    ours, theirs = pair()
    module, *arguments = PROGRAMS[process]
    with theirs:
        command = [sys.executable, "-I", "-m", module, str(theirs.fileno()), str(os.getpid())]
        # A pipe: the gate may write to no file, not even to a log that was opened for it.
        child = subprocess.Popen(
            [*command, *arguments],
            env=ENVIRONMENT,
            pass_fds=(theirs.fileno(),),
            stderr=subprocess.PIPE,
        )
    door = Channel(ours, us=Process.INIT, them=process)
    with child, ours:
        try:
            yield child, door
        finally:
            child.kill()


def body(process: Process, model: Path) -> bytes:
    """The configuration that init would send."""
    read = parse_config(write_config(GuestPlan(), sha256_of(model)))
    identity = replace(IDENTITY, lacking=sandbox.missing())
    return {
        Process.GATE: write_sections(read.gate, identity),
        Process.KEYHOLDER: write_sections(read.keys, read.stapling, identity),
        Process.ZYGOTE: write_sections(read.gate, read.model, read.answer, identity),
    }[process]


@pytest.mark.parametrize("process", PROGRAMS)
@pytest.mark.parametrize("told", ["a configuration", "a peer"])
def test_a_process_that_crashes_on_what_it_is_told_does_not_repeat_it(
    process: Process, told: str, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    model.write_bytes(b"not a model")
    with model.open("rb") as file, started(process) as (child, door):
        assert child.stderr is not None
        fds = (file.fileno(),) if process is Process.ZYGOTE else ()
        if told == "a configuration":
            door.say(Say.CONFIG, body=f'{{"{CANARY}":'.encode(), fds=fds)
        else:
            door.say(Say.CONFIG, body=body(process, model), fds=fds)
            if process is Process.GATE:  # it ends in order only when it has begun
                with socket.create_server(("127.0.0.1", 0)) as listener:
                    door.say(Say.LINK, body=NETWORK.encode(), fds=(listener.fileno(),))
            door.say(Say.LINK, body=CANARY.encode(), fds=(file.fileno(),))
        lines = []
        while b"fault" not in (line := child.stderr.readline()):
            assert line, "it ended without a word"
            lines.append(line)
        child.terminate()
        lines += [line, *child.stderr]
    faults = [e for e in events(b"".join(lines).decode()) if e["event"] == "fault"]
    assert {event["process"] for event in faults} == {list(Process).index(process)}
    assert all(event["line"] > 0 for event in faults)
