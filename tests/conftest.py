# SPDX-License-Identifier: Apache-2.0
"""For every test: none leaves this machine, and property tests try the same cases each time.

Coverage is taken of the main thread alone. CPython 3.11 may refuse to trace a thread while another
one begins to be traced ("Cannot install a trace function while another trace function is being
installed"), which would fail a test with many threads for what it does not test.

`--hypothesis-profile=explore` (`make explore`) looks further, with new random cases on each run.
"""

import ipaddress
import socket
import sys
import threading

from hypothesis import settings

# No deadline: a slow machine is not a wrong answer.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=5000)
settings.load_profile("steady")

CONNECTING = {"socket.connect", "socket.sendto"}


def stay_on_this_machine(event: str, args: tuple[object, ...]) -> None:
    """Refuse to send to an Internet address that is not loopback (an audit hook, PEP 578)."""
    if event not in CONNECTING:
        return
    peer, address = args
    if not isinstance(peer, socket.socket) or not isinstance(address, tuple):
        return
    if peer.family not in {socket.AF_INET, socket.AF_INET6} or address[0] == "localhost":
        return
    if not ipaddress.ip_address(str(address[0])).is_loopback:
        raise RuntimeError(f"a test may not leave this machine: wanted loopback, got {address[0]}")


sys.addaudithook(stay_on_this_machine)
threading.settrace(None)
