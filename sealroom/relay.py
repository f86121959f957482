# SPDX-License-Identifier: Apache-2.0
"""Which URLs name a relay: `https://host[:port][/path]`, or plain http on this very machine.

In the clear, on a network, everybody on it would see who sends something to which guest; what is
sent is sealed in either case. On the loopback there is nobody to see it.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

WANTED = "https://host[:port][/path], or http on this machine"


def check_relay(text: str) -> str:
    """`text` without a trailing slash, if it is the URL of a relay.

    Raises:
        ValueError: it is not; the text says which part was in the way.
    """
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"wanted {WANTED}, got characters that no URL has")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"wanted {WANTED}, got a host or port that is none") from None
    if not host or port == 0:
        raise ValueError(f"wanted {WANTED}, got no host or port")
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise ValueError(f"wanted {WANTED}, got a user, a query or a fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_machine(host)):
        raise ValueError(f"wanted {WANTED}, got another scheme")
    return text.rstrip("/")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
