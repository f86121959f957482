# SPDX-License-Identifier: Apache-2.0
"""The model's bytes: copied once into a sealed memfd while they are hashed, and compared.

What was hashed is what is mapped: the copy cannot be written, grown or shrunk afterwards, and the
file it came from is not looked at again. A GGUF file is parsed only after its digest matched.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
from typing import Final

MODEL_MAX_BYTES: Final = 8 * 1024**3
_PIECE_BYTES: Final = 4 * 1024**2
_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class ModelDigestError(Exception):
    """The file is not the model of the configuration, or is larger than `MODEL_MAX_BYTES`."""


def seal_model(source: int, digest: bytes) -> int:
    """Return the descriptor of a sealed copy of the file at ``source``, which is closed.

    Raises:
        ModelDigestError: the SHA-256 of the copied bytes is not ``digest``.
    """
    sealed = os.memfd_create("model", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    sha256 = hashlib.sha256()
    copied = 0
    try:
        while piece := os.pread(source, _PIECE_BYTES, copied):
            copied += len(piece)
            if copied > MODEL_MAX_BYTES:
                raise ModelDigestError(f"model: over {MODEL_MAX_BYTES} bytes")
            sha256.update(piece)
            _write_all(sealed, piece)
        if not hmac.compare_digest(sha256.digest(), digest):
            raise ModelDigestError(
                f"model: wanted SHA-256 {digest.hex()}, got {sha256.hexdigest()}"
            )
        fcntl.fcntl(sealed, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(sealed)
        raise
    finally:
        os.close(source)
    return sealed


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
