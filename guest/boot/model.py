# SPDX-License-Identifier: Apache-2.0
"""The model, from a disk of the host into a sealed memfd, compared with the command line's digest.

This is the only copy: the zygote gets the descriptor, finds it sealed, and maps it (`seal_model`).
The disk is not looked at again.
"""

from __future__ import annotations

import os

from guest.boot.published import Model
from guest.boot.reasons import BootError, Reason
from guest.sectors import SECTOR_BYTES
from guest.worker.modelfile import ModelDigestError, seal_model


def take(disk: int, model: Model) -> int:
    """A descriptor of the sealed model; ``disk``, which is closed, has it and padding.

    Raises:
        BootError: the disk does not have this model, or something behind it.
        OSError: the disk cannot be read.
    """
    try:
        padding = os.pread(disk, SECTOR_BYTES, model.size)
        sealed = seal_model(os.dup(disk), model.digest, size=model.size)
    except ModelDigestError as error:
        raise BootError(Reason.MODEL) from error
    finally:
        os.close(disk)
    if len(padding) == SECTOR_BYTES or padding.strip(b"\0"):
        os.close(sealed)
        raise BootError(Reason.MODEL)
    return sealed
