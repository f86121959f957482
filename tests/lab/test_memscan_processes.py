# SPDX-License-Identifier: Apache-2.0
"""Looking into living processes: every form, every place, and no silence about what is hidden."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.memscan import (
    Search,
    Survey,
    Unread,
    UnreadableError,
    children,
    digest_needles,
    look_into,
    needles,
)
from lab.memscan.__main__ import FOUND, NOT_SEARCHED, NOTHING, main
from lab.memscan.processes import mappings
from tests.lab.keeper import keeping

CANARY = "zebra-quartz-5417-mango"
TOKENS = (1017, 40021, 7, 3, 22)
ALL = [*needles(CANARY, TOKENS), *digest_needles(CANARY, CANARY.encode())]

# As the keeper, but what it keeps lies in a page that may not be read.
HIDE = """
import ctypes, mmap, sys
page = mmap.mmap(-1, 1 << 16, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
page.write(sys.stdin.buffer.read(int(sys.argv[1])).upper())
at = ctypes.addressof(ctypes.c_char.from_buffer(page))
assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(at), 1 << 16, 0) == 0
print(flush=True)
sys.stdin.buffer.read()
"""
# Holds it in a memfd, in a file without a name, in a pipe and in a socket, and not in its memory.
OPEN = """
import os, socket, sys, tempfile
kept = bytearray(sys.stdin.buffer.read(int(sys.argv[1])))
memfd = os.memfd_create("shelf")
os.write(memfd, kept)
nameless = tempfile.TemporaryFile(buffering=0)
nameless.write(kept)
reader, writer = os.pipe()
os.write(writer, kept)
one, other = socket.socketpair()
one.send(kept)
print(flush=True)
sys.stdin.buffer.read()
"""
# Only listens. (The tests' own process would do, and take seconds to search.)
LISTEN = """
import socket, sys
sys.stdin.buffer.read(int(sys.argv[1]))
with socket.create_server(("127.0.0.1", 0)):
    print(flush=True)
    sys.stdin.buffer.read()
"""


def test_every_form_is_found_in_a_living_process() -> None:
    with keeping(b"\0\7\0".join(needle.data for needle in ALL)) as pid:
        assert pid in children(os.getpid())
        found = {hit.form for hit in Search(ALL).process(pid) if "memory" in hit.where}
    assert found == {needle.form for needle in ALL}


def test_nothing_is_found_in_a_process_that_was_told_something_else() -> None:
    with keeping(b"walrus-basalt-9020-papaya") as pid:
        assert Search(ALL).process(pid) == []


def test_it_is_found_in_arguments_and_environment() -> None:
    program = ["-c", "import sys; sys.stdin.read()", CANARY]
    with subprocess.Popen(
        [sys.executable, *program], stdin=subprocess.PIPE, env={"SAID": CANARY[::-1]}
    ) as process:
        places = {hit.where: hit.form for hit in Search(ALL).process(process.pid)}
        assert process.stdin is not None
        process.stdin.close()
    assert places[f"/proc/{process.pid}/cmdline"] == "utf-8"
    assert places[f"/proc/{process.pid}/environ"] == "reversed"


def test_memory_that_the_process_itself_may_not_read_is_searched() -> None:
    with keeping(CANARY.encode(), HIDE) as pid:
        hits = Search(needles(CANARY.upper())).process(pid)
        hidden = [m for m in mappings(pid) if m.permissions == "---p" and not m.inode]
    assert any(m.start <= hit.at < m.end for hit in hits for m in hidden)


def test_what_it_holds_open_is_searched_and_left_as_it_was() -> None:
    with keeping(CANARY.encode(), OPEN) as pid:
        for _ in range(2):
            open_hits = [hit for hit in Search(ALL).process(pid) if "descriptor" in hit.where]
            for kind in ("/memfd:shelf (deleted)", "/#", "pipe:", "socket:"):
                assert [hit.form for hit in open_hits if kind in hit.where] == ["utf-8"], kind


def test_a_process_that_is_not_there_is_an_error_with_a_name() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with pytest.raises(UnreadableError, match=f"memory of {gone.pid}: No such") as caught:
        Search(ALL).process(gone.pid)
    assert [type(each) for each in caught.value.unread] == [Unread] * 4


def test_a_mapping_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pread = os.pread
    with keeping(b"") as pid:
        heap = next(mapping for mapping in mappings(pid) if mapping.name == "[heap]")

        def refuse(descriptor: int, size: int, at: int) -> bytes:
            if heap.start <= at < heap.end:
                raise OSError(errno.EIO, "Input/output error")
            return pread(descriptor, size, at)

        monkeypatch.setattr(os, "pread", refuse)
        survey = Survey()
        look_into(Search(ALL), pid, survey)
    assert {each.where.partition(" at ")[0] for each in survey.unread} == {
        f"memory of {pid}: [heap]"
    }


@pytest.fixture
def canary_file(tmp_path: Path) -> Path:
    path = tmp_path / "canaries"
    path.write_text(f"walrus-basalt-9020-papaya\n{CANARY}\n")
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    return main(list(arguments)), capsys.readouterr().out


def test_the_command_reports_what_it_found_without_the_canary(
    tmp_path: Path, canary_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(5_000_001) + CANARY.encode())
    given = ("--canary-file", str(canary_file), "--json", "--file", str(image))
    code, told = run(capsys, *given)
    report = json.loads(told)
    assert code == FOUND
    assert report["hits"] == [
        {"canary": "2", "form": "utf-8", "where": str(image), "at": 5_000_001}
    ]
    assert report["bytes"] == 5_000_001 + len(CANARY)
    assert CANARY not in told


def test_the_command_finds_it_in_a_process_that_it_holds_still(
    canary_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with keeping(CANARY.encode()) as pid:
        code, told = run(capsys, "--canary-file", str(canary_file), "--hold", "--pid", str(pid))
    assert code == FOUND
    assert f"found     canary 2 as utf-8 in memory of {pid}" in told


def test_the_command_that_finds_nothing_ends_well(
    tmp_path: Path, canary_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_bytes(b"nothing")
    code, told = run(capsys, "--canary-file", str(canary_file), "--folder", str(folder))
    assert (code, told.split(";")[0]) == (NOTHING, "0 hits, 0 not read")


@pytest.mark.parametrize("where", ["--file", "--folder"])
def test_the_command_says_what_it_could_not_read(
    where: str, tmp_path: Path, canary_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "missing")
    code, told = run(capsys, "--canary-file", str(canary_file), where, missing)
    assert code == NOT_SEARCHED
    assert f"not read  {missing}" in told


def test_the_command_refuses_a_canary_that_chance_would_find(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = tmp_path / "short"
    short.write_text("seven77\n")
    with pytest.raises(SystemExit) as caught:
        main(["--canary-file", str(short), "--pid", "1"])
    assert caught.value.code == NOT_SEARCHED
    assert "canary 1: wanted at least 8 bytes" in capsys.readouterr().err


def test_a_socket_that_only_listens_is_no_error() -> None:
    survey = Survey()
    with keeping(b"", LISTEN) as pid:
        look_into(Search(needles("walrus-basalt-9020")), pid, survey)
        held = [path.readlink().name for path in Path(f"/proc/{pid}/fd").iterdir()]
    assert any(name.startswith("socket:") for name in held)
    assert survey.unread == []
