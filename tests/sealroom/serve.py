# SPDX-License-Identifier: Apache-2.0
"""The tests' relay in a thread, for clients that are not asyncio: the sync room and the command."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.sealroom.relay import Relay, serving


@contextmanager
def serving_in_thread(relay: Relay) -> Iterator[Relay]:
    """Serves `relay` until the block ends."""
    ready, loops = threading.Event(), []

    async def serve() -> None:
        over = asyncio.Event()
        async with serving(relay):
            loops.append((asyncio.get_running_loop(), over))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield relay
    finally:
        loop, over = loops[0]
        loop.call_soon_threadsafe(over.set)
        thread.join()
