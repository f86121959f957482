# SPDX-License-Identifier: Apache-2.0
"""The one entry of configfs-tsm, made by root for a keyholder that has no right to make any.

Whoever makes an entry, it belongs to root; configfs lets root give an attribute away. The keyholder
gets the one that it must write, ``inblob``, and nothing else: neither the privilege level nor the
folder, so it can make and remove nothing. What it reads, everybody may read.
"""

from __future__ import annotations

import os

from guest.boot.reasons import BootError, Reason
from guest.door import Process
from guest.keyholder.tsm import ENTRY_FOLDER, INBLOB
from guest.users import USERS


def make() -> None:
    """Make it, and give its input to the keyholder.

    Raises:
        BootError: no platform vouches for this machine; ENXIO when no driver found one.
    """
    keyholder = USERS[Process.KEYHOLDER].effective
    try:
        ENTRY_FOLDER.mkdir(mode=0o755)
        os.chown(ENTRY_FOLDER / INBLOB, keyholder, keyholder)
    except OSError as error:
        raise BootError(Reason.PROVIDER, error.errno or 0) from error
