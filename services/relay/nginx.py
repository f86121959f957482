# SPDX-License-Identifier: Apache-2.0
"""Rendering nginx.conf.template: `python -m services.relay.nginx > relay.conf`.

This file owns what differs between two installations, and fills in what must be the same as in
the relay in Python: limits, cache rules and every problem's status and bytes come from the same
tables, so that the two cannot drift apart.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from importlib import resources
from typing import Final

from yarl import URL

from services.command import listen_address
from services.limits import REUSE_S, Limits
from services.problems import (
    BAD_GATEWAY,
    BUSY,
    DEADLINE,
    FAILED,
    METHOD_GET,
    NOT_FOUND,
    PROBLEM_MEDIA,
    PROBLEMS,
    REFUSED,
    TOO_LARGE,
    TOO_SLOW,
    UNKNOWN_KEY,
    UNSUPPORTED_MEDIA,
    Problem,
)
from services.relay.relay import parse_origin
from services.resources import CACHE, Kind

CA_FILE: Final = "/etc/ssl/certs/ca-certificates.crt"
"""Debian's list of certification authorities."""

# headers-more removes fields by a prefix of at least one character, and nginx drops a field
# whose name has any other character than these.
_FIRST_CHARACTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789_"


def _page(problem: Problem) -> str:
    """The internal path at which nginx has the answer for `problem`."""
    return f"/problems/{problem.word}"


# nginx's own statuses for malformed HTTP (414, 494 and so on) are all `refused`.
_PAGES: Final[dict[int, str]] = {
    **dict.fromkeys((400, 414, 431, 494, 501, 505), _page(REFUSED)),
    NOT_FOUND.status: "$on_404",
    METHOD_GET.status: "$on_405",
    TOO_SLOW.status: _page(TOO_SLOW),
    TOO_LARGE.status: _page(TOO_LARGE),
    UNSUPPORTED_MEDIA.status: _page(UNSUPPORTED_MEDIA),
    UNKNOWN_KEY.status: _page(UNKNOWN_KEY),
    BUSY.status: "$on_503",
    DEADLINE.status: _page(DEADLINE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What differs between two installations.

    Attributes:
        listen: address and port.
        gateway: origin of the gateway.
        state: directory for the pid file and nginx's unused scratch directories; must exist.
        module: path of the headers-more module, or "" where nginx has it built in.
        limits: all limits.
    """

    listen: tuple[str, int]
    gateway: str
    state: str
    module: str = ""
    limits: Limits


def render(installation: Installation) -> str:
    """The configuration file for `installation`.

    Raises:
        ValueError: `gateway` is not an origin, or a value cannot stand in a configuration file.
    """
    text = (resources.files("services.relay") / "nginx.conf.template").read_text("utf-8")
    for name, value in _values(installation, parse_origin(installation.gateway)).items():
        text = text.replace(f"@{name}@", value)
    return text


def _values(installation: Installation, gateway: URL) -> dict[str, str]:
    for value in (installation.state, installation.module):
        if set(value) & set(" \t\r\n;{}'\"\\$#"):
            raise ValueError(f"nginx configuration: wanted a plain path, got {value!r}")
    limits = installation.limits
    host, port = installation.listen
    module = installation.module
    return {
        "PID": f"{installation.state}/nginx.pid",
        "STATE": installation.state,
        "MODULE": f"load_module {module};" if module else "",
        "CONNECTIONS": str(2 * limits.connections_max),
        "BODY_MAX_BYTES": str(limits.body_max_bytes),
        "HEAD_S": _milliseconds(limits.head_s),
        "IDLE_S": _milliseconds(limits.idle_s),
        "REUSE_S": _milliseconds(REUSE_S),
        "CONNECT_S": _milliseconds(limits.connect_s),
        "LISTEN": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "SCHEME": gateway.scheme,
        "GATEWAY_ADDRESS": f"{gateway.raw_host}:{gateway.port}",
        "GATEWAY_AUTHORITY": gateway.raw_authority,
        "TLS": _tls(gateway),
        "CACHE_EXCHANGE": CACHE[Kind.EXCHANGE],
        "CACHE_OBJECT": CACHE[Kind.EVIDENCE],
        "EVERY_FIELD": " ".join(f'"{first}*"' for first in _FIRST_CHARACTERS),
        "ERROR_PAGES": _error_pages(),
        "PROBLEM_LOCATIONS": "".join(
            _location(problem) for problem in PROBLEMS if problem is not METHOD_GET
        ),
    }


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def _tls(gateway: URL) -> str:
    """The check of the gateway's certificate; nothing for a gateway without TLS."""
    if gateway.scheme != "https":
        return ""
    lines = (
        "proxy_ssl_server_name on;",
        f"proxy_ssl_name {gateway.raw_host};",
        "proxy_ssl_verify on;",
        "proxy_ssl_verify_depth 4;",
        f"proxy_ssl_trusted_certificate {CA_FILE};",
    )
    return "".join(f"    {line}\n" for line in lines)


def _error_pages() -> str:
    """Every status from 300 on: its own problem, or that of a bad gateway."""
    pages = dict.fromkeys(range(300, 600), _page(BAD_GATEWAY)) | _PAGES
    pages[FAILED.status] = _page(BAD_GATEWAY)
    grouped: dict[str, list[str]] = {}
    for status, page in sorted(pages.items()):
        if status != 499:  # nginx keeps 499 for itself: the client is gone
            grouped.setdefault(page, []).append(str(status))
    return "".join(
        f"    error_page {' '.join(statuses)} = {page};\n" for page, statuses in grouped.items()
    )


def _location(problem: Problem) -> str:
    fields = {"Content-Type": PROBLEM_MEDIA, "Cache-Control": "no-store", **problem.headers}
    if "Allow" in fields:
        fields["Allow"] = "$allowed_method"
    set_headers = " ".join(f'"{name}: {value}"' for name, value in fields.items())
    return (
        f"\n    location = {_page(problem)} {{\n"
        f"      internal;\n"
        f"      more_clear_headers Server;\n"
        f"      more_set_headers {set_headers};\n"
        f"      return {problem.status} '{problem.body.decode('ascii')}';\n"
        f"    }}\n"
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the configuration."""
    parser = argparse.ArgumentParser(
        prog="python -m services.relay.nginx",
        description="Print the configuration of an nginx that is the oblivious relay. "
        "Start it with: nginx -e /dev/null -c FILE",
    )
    parser.add_argument("--listen", type=listen_address, required=True, metavar="HOST:PORT")
    parser.add_argument("--gateway", required=True, metavar="ORIGIN", help="the only gateway")
    parser.add_argument("--state", required=True, metavar="DIR", help="directory for the pid file")
    parser.add_argument("--module", default="", metavar="FILE", help="the headers-more module")
    options = parser.parse_args(arguments)
    try:
        installation = Installation(
            listen=options.listen,
            gateway=options.gateway,
            state=options.state,
            module=options.module,
            limits=Limits(),
        )
        sys.stdout.write(render(installation))
    except ValueError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
