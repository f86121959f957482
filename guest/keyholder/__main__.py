# SPDX-License-Identifier: Apache-2.0
"""Entry point of the keyholder: ``python -I -m guest.keyholder DOOR INIT_PID`` (`guest.child`)."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401 - asyncio loads it at first use, and then cannot
import signal
from pathlib import Path

from guest import sandbox
from guest.child import start
from guest.door import Process
from guest.keyholder.service import SECRETS_MAX, Keyholder
from guest.keyholder.tsm import Configfs, KernelConfigfs
from guest.secretmem import SecretMemory
from guest.settings import Identity, KeySettings, StaplingSettings, read_section


def main(configfs: Configfs, policy: sandbox.Policy = sandbox.POLICY) -> None:
    """Hold keys until init is gone or says SIGTERM; ``configfs`` is the seam to hardware."""
    memory = SecretMemory(SECRETS_MAX)  # before the sandbox, which may not let it be locked
    wiring, first, _ = start(Process.KEYHOLDER, policy=policy, folder=_endorsements)
    keys = read_section(first.body, KeySettings)
    stapling = read_section(first.body, StaplingSettings)
    identity = read_section(first.body, Identity)

    async def serve() -> None:
        keyholder = Keyholder(wiring, configfs, keys, stapling, identity, memory=memory)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, keyholder.stop)
        await keyholder.run()

    asyncio.run(serve())


def _endorsements(body: bytes) -> str | None:
    """Where the operator's bundle is read: the disk that it is on, or the folder that it lies in.

    The folder and not the file, because a new bundle takes the old one's place there.
    """
    named = read_section(body, StaplingSettings).endorsements
    if named is None:
        return None
    path = Path(named)
    return str(path if path.is_block_device() else path.parent)


if __name__ == "__main__":
    main(KernelConfigfs())
