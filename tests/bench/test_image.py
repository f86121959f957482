# SPDX-License-Identifier: Apache-2.0
"""What is counted of an image, and what a guest tells of its memory."""

import json
import socket
from pathlib import Path

import pytest

from bench import image, image_memory
from image import cpio, layout
from lab.vm import probe


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("usr/lib/python3/dist-packages/guest/init.py", "our code"),
        ("usr/lib/python3/dist-packages/guesting.py", "other packages"),
        ("usr/lib/python3/dist-packages/cryptography/x.so", "cryptography, with its OpenSSL"),
        ("usr/lib/python3.13/os.py", "the standard library"),
        ("init", "the rest"),
    ],
)
def test_every_file_belongs_to_one_part(path: str, part: str) -> None:
    assert image.part_of(path) == part


def test_a_program_is_what_can_be_started_by_its_name() -> None:
    assert image.is_program(cpio.file("init", layout.INIT, 0o755))
    assert image.is_program(cpio.file("usr/bin/python3.13", b"\x7fELF", 0o755))
    assert not image.is_program(cpio.file("lib/libc.so.6", b"\x7fELF", 0o755))


def test_what_measures_takes_the_place_of_the_probe() -> None:
    names = {entry.path: entry.data for entry in image.beside()}
    assert names.keys() == {probe.INIT, probe.PROGRAM}
    assert names[probe.PROGRAM] == Path(image_memory.__file__).read_bytes()


def test_numbers_of_the_kernel_are_read(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:  100 kB\nHugePages_Total:  0\nMemFree: 7 kB\n")
    assert image_memory.fields(str(tmp_path / "meminfo")) == {"MemTotal": 100, "MemFree": 7}
    assert {"MemTotal", "MemAvailable"} <= image_memory.fields("/proc/meminfo").keys()


def test_a_low_is_told_until_nobody_listens() -> None:
    guest, host = socket.socketpair()
    with guest, host:
        host.shutdown(socket.SHUT_RD)
        with pytest.raises(BrokenPipeError):
            image_memory.follow(guest, least=1 << 60)


def test_rows_of_the_guest_are_kept_in_turn() -> None:
    ours, theirs = socket.socketpair()
    rows = [{"least_kib": 2}, {"least_kib": 1}]
    lows: list[dict[str, int]] = []
    with ours:
        with theirs:
            theirs.sendall(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
        image.read_lows(ours, lows)
    assert lows == rows
