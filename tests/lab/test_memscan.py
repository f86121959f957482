# SPDX-License-Identifier: Apache-2.0
"""The searcher finds every form it claims to look for, and nothing where there is nothing."""

import base64
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from lab.memscan import FORM_MIN_BYTES, PIECE_BYTES, Search, children, needles

CANARY = "zebra-quartz-5417-mango"
TOKENS = (1017, 40021, 7, 3, 22)
FORMS = {
    "utf-8": CANARY.encode(),
    "utf-16-le": CANARY.encode("utf-16-le"),
    "utf-16-be": CANARY.encode("utf-16-be"),
    "utf-32-le": CANARY.encode("utf-32-le"),
    "hex": CANARY.encode().hex().encode(),
    "hex-upper": CANARY.encode().hex().upper().encode(),
    "reversed": CANARY.encode()[::-1],
    "token-ids": struct.pack("=5i", *TOKENS),
}


def forms_found(data: bytes) -> set[str]:
    return {hit.form for hit in Search(needles(CANARY, TOKENS)).pieces("here", [data])}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_found_between_other_bytes(form: str) -> None:
    assert form in forms_found(b"\x07" * 13 + FORMS[form] + b"\x01" * 5)


@pytest.mark.parametrize("before", range(6))
def test_base64_is_found_at_every_alignment(before: int) -> None:
    text = b"-" * before + CANARY.encode() + b"and more of it"
    assert any(form.startswith("base64+") for form in forms_found(base64.b64encode(text)))
    assert any(
        form.startswith("base64url+") for form in forms_found(base64.urlsafe_b64encode(text))
    )


def test_nothing_is_found_in_bytes_without_it() -> None:
    assert forms_found(CANARY.encode()[:-1] + b"-" + base64.b64encode(b"another text")) == set()


@pytest.mark.parametrize("cut", range(1, len(CANARY)))
def test_a_canary_across_the_border_of_two_pieces_is_found(cut: int) -> None:
    data = CANARY.encode()
    hits = list(Search(needles(CANARY)).pieces("here", [b"x" * 40 + data[:cut], data[cut:]]))
    assert [hit.form for hit in hits] == ["utf-8"]


def test_forms_that_chance_would_find_are_not_searched_for() -> None:
    assert all(len(needle.data) >= FORM_MIN_BYTES for needle in needles("abc", (1,)))


def test_it_is_found_in_a_living_process_and_in_its_arguments(tmp_path: Path) -> None:
    program = "import sys; kept = sys.stdin.readline().upper(); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, f"argument {CANARY}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(CANARY + "\n")
        process.stdin.flush()
        process.stdout.readline()
        assert process.pid in children(os.getpid())
        loud = Search(needles(CANARY.upper())).process(process.pid)
        quiet = Search(needles("walrus-basalt-9020-papaya")).process(process.pid)
        plain = Search(needles(CANARY)).process(process.pid)
        process.stdin.close()
    assert any("memory" in hit.where for hit in loud)
    assert quiet == []
    assert f"/proc/{process.pid}/cmdline" in {hit.where for hit in plain}


def test_it_is_found_in_a_file_in_a_name_and_beyond_the_first_piece(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"\0" * (PIECE_BYTES - 3) + CANARY.encode())
    (tmp_path / f"named {CANARY}").write_bytes(b"")
    hits = Search(needles(CANARY)).folder(tmp_path)
    assert {hit.where for hit in hits} == {
        str(tmp_path / "large"),
        f"name of {tmp_path / f'named {CANARY}'}",
    }
