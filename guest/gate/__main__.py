# SPDX-License-Identifier: Apache-2.0
"""Entry point of the gate: ``python -I -m guest.gate DOOR INIT_PID`` (`guest.child`)."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket

from guest import sandbox
from guest.channel import Channel, GoneError
from guest.child import NETWORK, linked, start
from guest.door import Process, Say
from guest.gate.exchange import Exchanges
from guest.gate.links import Links
from guest.gate.server import GateServer
from guest.gate.service import Service
from guest.settings import GateSettings, Identity, read_section


def main(policy: sandbox.Policy = sandbox.POLICY) -> None:
    """Run the gate until init closes the door or says SIGTERM."""
    logging.getLogger("asyncio").addHandler(logging.NullHandler())  # it would quote exceptions
    wiring, first, _ = start(Process.GATE, policy=policy)
    limits = read_section(first.body, GateSettings)
    asyncio.run(_serve(wiring, limits, read_section(first.body, Identity).lacking))


async def _serve(wiring: Channel, limits: GateSettings, lacking: tuple[str, ...]) -> None:
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, done.set)
    links = Links(cut_off=done.set)
    server = GateServer([Service(links, Exchanges(links, limits), lacking)])
    listener: asyncio.Future[socket.socket] = loop.create_future()

    def hear() -> None:
        try:
            parcel = wiring.hear(wait=False)
        except GoneError:
            loop.remove_reader(wiring.fileno())
            done.set()
            return
        if parcel is not None and parcel.say is Say.LINK:
            name, fd = linked(parcel, us=Process.GATE)
            if name == NETWORK:
                listener.set_result(socket.socket(fileno=fd))
            else:
                links.adopt(Process(name), fd)

    loop.add_reader(wiring.fileno(), hear)
    await server.start(sock=await listener)
    wiring.say(Say.READY)
    await done.wait()
    server.close()


if __name__ == "__main__":
    main()
