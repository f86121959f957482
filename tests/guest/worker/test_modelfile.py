# SPDX-License-Identifier: Apache-2.0
"""The model's bytes: what was hashed is what is kept, whatever happens to the file."""

import errno
import fcntl
import hashlib
import mmap
import os
from pathlib import Path

import pytest

from guest.worker import modelfile
from guest.worker.modelfile import SEALS, ModelDigestError, seal_model
from tests.guest.rig import is_open, nothing_left_open

MODEL = os.urandom(5_000_000)  # more than one piece
DIGEST = hashlib.sha256(MODEL).digest()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(MODEL)
    return path


def opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def test_the_sealed_copy_holds_the_models_bytes_and_the_source_is_closed(source: Path) -> None:
    with nothing_left_open():
        fd = opened(source)
        sealed = seal_model(fd, DIGEST)
        assert sealed != fd
        assert not is_open(fd)
        assert os.pread(sealed, len(MODEL) + 1, 0) == MODEL
        assert fcntl.fcntl(sealed, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        os.close(sealed)


def test_an_empty_model_is_a_model_too(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    sealed = seal_model(opened(path), hashlib.sha256(b"").digest())
    assert os.fstat(sealed).st_size == 0
    os.close(sealed)


def test_another_digest_is_refused_and_nothing_is_kept(source: Path) -> None:
    with nothing_left_open(), pytest.raises(ModelDigestError, match=DIGEST.hex()):
        seal_model(opened(source), bytes(32))


@pytest.mark.parametrize("at", [0, len(MODEL) // 2, len(MODEL) - 1])
def test_one_changed_bit_is_refused(source: Path, at: int) -> None:
    with source.open("r+b") as file:
        file.seek(at)
        file.write(bytes([MODEL[at] ^ 1]))
    with nothing_left_open(), pytest.raises(ModelDigestError):
        seal_model(opened(source), DIGEST)


def test_a_byte_that_changes_between_the_file_and_the_sealed_copy_is_refused(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read is good; what arrives in the copy is not. Only a digest of the copy can tell."""
    write_all = modelfile._write_all

    def spoil(fd: int, data: bytes) -> None:
        write_all(fd, bytes([data[0] ^ 1]) + data[1:])

    monkeypatch.setattr(modelfile, "_write_all", spoil)
    with nothing_left_open(), pytest.raises(ModelDigestError, match="wanted SHA-256"):
        seal_model(opened(source), DIGEST)


def test_every_seal_is_on_the_copy(source: Path) -> None:
    sealed = seal_model(opened(source), DIGEST)
    assert fcntl.fcntl(sealed, fcntl.F_GET_SEALS) == SEALS
    assert SEALS == 0b1111  # seal, shrink, grow, write (include/uapi/linux/fcntl.h)
    os.close(sealed)


def test_a_copy_that_the_kernel_does_not_seal_is_refused(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "F_GET_SEALS", fcntl.F_GETFD)
    with nothing_left_open(), pytest.raises(ModelDigestError, match="sealed"):
        seal_model(opened(source), DIGEST)


def test_a_model_that_is_too_large_is_refused(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modelfile, "MODEL_MAX_BYTES", len(MODEL) - 1)
    with nothing_left_open(), pytest.raises(ModelDigestError, match="over"):
        seal_model(opened(source), DIGEST)


def test_a_source_that_is_sealed_already_is_its_own_copy(source: Path) -> None:
    with nothing_left_open():
        sealed = seal_model(opened(source), DIGEST)
        assert seal_model(sealed, DIGEST) == sealed
        assert os.pread(sealed, len(MODEL) + 1, 0) == MODEL
        os.close(sealed)


def test_a_sealed_source_with_another_digest_is_refused(source: Path) -> None:
    with nothing_left_open():
        sealed = seal_model(opened(source), DIGEST)
        with pytest.raises(ModelDigestError, match="wanted SHA-256"):
            seal_model(sealed, bytes(32))


def test_what_stands_behind_the_models_size_is_not_copied(source: Path) -> None:
    size = 4_500_000
    sealed = seal_model(opened(source), hashlib.sha256(MODEL[:size]).digest(), size=size)
    assert os.pread(sealed, len(MODEL), 0) == MODEL[:size]
    os.close(sealed)


def test_a_descriptor_that_cannot_be_read_is_an_error_and_closed() -> None:
    with nothing_left_open():
        read, write = os.pipe()
        with pytest.raises(OSError) as caught:
            seal_model(read, DIGEST)
        assert caught.value.errno == errno.ESPIPE
        os.close(write)


def test_the_sealed_copy_cannot_be_changed(source: Path) -> None:
    sealed = seal_model(opened(source), DIGEST)
    for attempt in (
        lambda: os.pwrite(sealed, b"x", 0),
        lambda: os.ftruncate(sealed, 1),
        lambda: os.ftruncate(sealed, len(MODEL) + 1),
        lambda: fcntl.fcntl(sealed, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW),
        lambda: mmap.mmap(sealed, 0, mmap.MAP_SHARED, mmap.PROT_WRITE),
    ):
        with pytest.raises(OSError) as caught:
            attempt()
        assert caught.value.errno == errno.EPERM
    again = os.open(f"/proc/self/fd/{sealed}", os.O_RDWR)
    with pytest.raises(OSError, match="not permitted"):
        os.pwrite(again, b"x", 0)
    os.close(again)
    os.close(sealed)


def test_the_sealed_copy_can_be_mapped_to_read(source: Path) -> None:
    sealed = seal_model(opened(source), DIGEST)
    with mmap.mmap(sealed, 0, mmap.MAP_PRIVATE, mmap.PROT_READ) as mapped:
        assert mapped[:64] == MODEL[:64]
    os.close(sealed)


def test_what_happens_to_the_file_afterwards_changes_nothing(source: Path) -> None:
    sealed = seal_model(opened(source), DIGEST)
    source.write_bytes(b"another model")
    source.unlink()
    assert hashlib.sha256(os.pread(sealed, len(MODEL) + 1, 0)).digest() == DIGEST
    os.close(sealed)
