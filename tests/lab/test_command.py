# SPDX-License-Identifier: Apache-2.0
"""``python -m lab`` as it is typed: what it refuses, and that it leaves nothing behind."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.memscan import children
from tests.contract.repository import ROOT
from tests.flow.processes import gone, until

pytestmark = pytest.mark.slow  # each starts processes of its own

END_S = 60


@pytest.fixture
def folder() -> Iterator[Path]:
    """For temporary files. Anybody may look into it: the keyholder is another user."""
    with tempfile.TemporaryDirectory(prefix="sealroom-typed-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def typed(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command, with ``folder`` for temporary files; ended in any case, parts and all."""
    with subprocess.Popen(
        [sys.executable, "-m", "lab", *words],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as lab:
        try:
            yield lab
        finally:
            lab.terminate()
            try:
                lab.wait(END_S)
            finally:
                lab.kill()


def said(folder: Path, *words: str) -> tuple[int, str]:
    """Exit code and stderr of a command that ends by itself."""
    with typed(folder, *words) as lab:
        _, stderr = lab.communicate(timeout=END_S)
        return lab.returncode, stderr.decode("utf-8")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_signal_ends_it_while_it_starts_and_leaves_nothing(
    folder: Path, number: signal.Signals, command: str
) -> None:
    with typed(folder, command) as lab:
        guest = until("a guest", lambda: children(lab.pid))
        lab.send_signal(number)
        lab.send_signal(number)
        _, stderr = lab.communicate(timeout=END_S)
        assert (lab.returncode, stderr) == (128 + number, b"lab: stopped\n")
    assert all(gone(pid) for pid in guest)
    assert list(folder.iterdir()) == []


def test_a_signal_is_how_up_ends(folder: Path) -> None:
    with typed(folder, "up") as lab:
        assert lab.stdout is not None
        while b"Ctrl-C stops everything" not in (line := lab.stdout.readline()):
            assert line
        parts = children(lab.pid)
        assert len(parts) == 3
        lab.send_signal(signal.SIGTERM)
        _, stderr = lab.communicate(timeout=END_S)
        assert (lab.returncode, stderr) == (0, b"")
    assert all(gone(pid) for pid in parts)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["demo", "no-such-chat.txt"], 1, "lab: [Errno 2] No such file or directory"),
        (["--model", "no-such-model", "up"], 1, "lab: [Errno 2] No such file or directory"),
        (["up", "--image", "--slots", "3"], 2, "--slots and --threads do not go with --image"),
        (["up", "--platform", "sgx"], 2, "invalid choice: 'sgx'"),
    ],
)
def test_what_cannot_be_started_is_said_and_leaves_nothing(
    folder: Path, words: list[str], code: int, told: str
) -> None:
    ended, stderr = said(folder, *words)
    assert ended == code
    assert told in stderr
    assert "Traceback" not in stderr
    assert list(folder.iterdir()) == []
