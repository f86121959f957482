# SPDX-License-Identifier: Apache-2.0
"""A service that breaks names the kind of the fault and the line, and not its words."""

import subprocess
import sys

import pytest

CANARY = "zebra-quartz-5417-mango"
QUIET = f"""
import asyncio, logging
from services.journal import quiet_all
quiet_all()
def fail():
    raise LookupError({CANARY!r})
"""
WRONG = {
    "an exception that nobody catches": "fail()",
    "a callback of the loop": (
        "loop = asyncio.new_event_loop()\nloop.call_soon(fail)\n"
        "loop.call_later(0.01, loop.stop)\nloop.run_forever()\nloop.close()"
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_fault_is_written_without_its_words(what: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", QUIET + WRONG[what]], capture_output=True, text=True, check=False
    )
    name, _, fault = run.stderr.partition(": ")
    assert (run.stdout, name) in {("", "root"), ("", "asyncio")}
    assert fault == f"LookupError at <string>:{QUIET.count(chr(10))}\n"


def test_what_libraries_log_without_an_exception_is_not_written() -> None:
    program = QUIET + f"logging.getLogger('aiohttp.server').error({CANARY!r})"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout + run.stderr == ""
