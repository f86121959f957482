# SPDX-License-Identifier: Apache-2.0
"""The model from its disk: the right bytes and nothing behind them, in one sealed copy."""

import fcntl
import hashlib
import os
from pathlib import Path

import pytest

from guest.boot import model
from guest.boot.published import Model
from guest.boot.reasons import BootError, Reason
from guest.sectors import SECTOR_BYTES
from guest.worker.modelfile import SEALS, seal_model
from tests.guest.rig import nothing_left_open

BYTES = os.urandom(3 * SECTOR_BYTES + 100)
WANTED = Model(hashlib.sha256(BYTES).digest(), len(BYTES))
PADDING = bytes(SECTOR_BYTES - 100)


def taken(tmp_path: Path, data: bytes, wanted: Model = WANTED) -> int:
    disk = tmp_path / "vda"
    disk.write_bytes(data)
    return model.take(os.open(disk, os.O_RDONLY | os.O_CLOEXEC), wanted)


def test_the_model_is_sealed_without_its_padding(tmp_path: Path) -> None:
    with nothing_left_open():
        sealed = taken(tmp_path, BYTES + PADDING)
        assert os.pread(sealed, len(BYTES) + 1, 0) == BYTES
        assert fcntl.fcntl(sealed, fcntl.F_GET_SEALS) & SEALS == SEALS
        os.close(sealed)


def test_a_model_of_whole_sectors_has_no_padding(tmp_path: Path) -> None:
    whole = bytes(SECTOR_BYTES)
    sealed = taken(tmp_path, whole, Model(hashlib.sha256(whole).digest(), SECTOR_BYTES))
    assert os.fstat(sealed).st_size == SECTOR_BYTES
    os.close(sealed)


@pytest.mark.parametrize(
    "data",
    [
        bytes([BYTES[0] ^ 1]) + BYTES[1:] + PADDING,
        BYTES[:-1],
        BYTES + b"x" + PADDING[1:],
        BYTES + PADDING[1:] + b"x",
        BYTES + PADDING + bytes(SECTOR_BYTES),
        b"",
    ],
    ids=["bit", "short", "behind", "at the end", "another sector", "empty"],
)
def test_another_disk_is_refused(tmp_path: Path, data: bytes) -> None:
    with nothing_left_open(), pytest.raises(BootError) as caught:
        taken(tmp_path, data)
    assert caught.value.reason is Reason.MODEL


def test_the_zygote_takes_the_sealed_copy_as_it_is(tmp_path: Path) -> None:
    sealed = taken(tmp_path, BYTES + PADDING)
    mapped = seal_model(os.dup(sealed), WANTED.digest)
    assert os.fstat(mapped).st_ino == os.fstat(sealed).st_ino
    os.close(mapped)
    os.close(sealed)
