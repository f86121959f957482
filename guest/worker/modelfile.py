# SPDX-License-Identifier: Apache-2.0
"""The model's bytes: copied once into a memfd, sealed, and only then hashed and compared.

What is hashed is what is mapped: from the sealing on, which the kernel is asked to confirm, nobody
can write, grow or shrink the copy, and the file it came from is not looked at again. A GGUF file is
parsed only after its digest matched. A source that is sealed already, as PID 1 hands it out, is its
own copy; it is hashed like any other.
"""

from __future__ import annotations

import fcntl
import hmac
import os
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256, Hash

MODEL_MAX_BYTES: Final = 8 * 1024**3
_PIECE_BYTES: Final = 4 * 1024**2
SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class ModelDigestError(Exception):
    """The file is not the model of the configuration, or is larger than `MODEL_MAX_BYTES`."""


def seal_model(source: int, digest: bytes, *, size: int | None = None) -> int:
    """Return the descriptor of a sealed copy of the file at ``source``, which is closed.

    Args:
        source: a file; one that is sealed is returned as it is.
        digest: SHA-256 of the model.
        size: how many of the file's bytes are the model, if not all.

    Raises:
        ModelDigestError: the SHA-256 of the sealed bytes is not ``digest``, or they are not sealed.
    """
    sealed = source
    try:
        if not _is_sealed(source):
            sealed = os.memfd_create("model", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            _copy(source, sealed, MODEL_MAX_BYTES + 1 if size is None else size)
            fcntl.fcntl(sealed, fcntl.F_ADD_SEALS, SEALS)
        if not _is_sealed(sealed):
            raise ModelDigestError("model: the copy could not be sealed")
        got = _hash(sealed)
        if not hmac.compare_digest(got, digest):
            raise ModelDigestError(f"model: wanted SHA-256 {digest.hex()}, got {got.hex()}")
    except BaseException:
        os.close(sealed)
        raise
    finally:
        if sealed != source:
            os.close(source)
    return sealed


def _is_sealed(fd: int) -> bool:
    try:
        return fcntl.fcntl(fd, fcntl.F_GET_SEALS) & SEALS == SEALS
    except OSError:  # not a memfd
        return False


def _copy(source: int, target: int, most: int) -> None:
    copied = 0
    while piece := os.pread(source, min(_PIECE_BYTES, most - copied), copied):
        copied += len(piece)
        if copied > MODEL_MAX_BYTES:
            raise ModelDigestError(f"model: over {MODEL_MAX_BYTES} bytes")
        _write_all(target, piece)


def _hash(fd: int) -> bytes:
    sha256 = Hash(SHA256())  # not Python's own, which in the image is without OpenSSL and slow
    hashed = 0
    while piece := os.pread(fd, _PIECE_BYTES, hashed):
        hashed += len(piece)
        sha256.update(piece)
    return sha256.finalize()


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
