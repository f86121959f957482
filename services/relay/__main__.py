# SPDX-License-Identifier: Apache-2.0
"""The command line of the relay: `python -m services.relay`."""

from __future__ import annotations

import argparse
import sys

from services.command import EXIT_CODES, add_service_arguments, print_observation, run
from services.observer import unobserved
from services.relay.relay import Relay, parse_origin

DESCRIPTION = """\
An oblivious HTTP relay (RFC 9458) for one gateway.

Forwards POST /t/TARGET with an encapsulated message, and GET of the two well-known objects, to
the gateway and to nowhere else. Removes every other header field in both directions. Keeps no
log. Prints 'listening on HOST:PORT' when it is ready.

It speaks plain HTTP to its clients: put it behind a TLS terminator that logs no addresses, or
use the nginx configuration beside it (python -m services.relay.nginx --help).
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the relay; the exit code is described by --help."""
    parser = argparse.ArgumentParser(
        prog="python -m services.relay",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_service_arguments(parser, listen="127.0.0.1:8080")
    parser.add_argument(
        "--gateway",
        required=True,
        metavar="ORIGIN",
        help="the only gateway forwarded to: http://HOST[:PORT] or https://HOST[:PORT]",
    )
    options = parser.parse_args(arguments)
    try:
        parse_origin(options.gateway)
    except ValueError as error:
        parser.error(str(error))
    host, port = options.listen
    observer = print_observation if options.observe else unobserved
    return run(Relay(options.gateway, host=host, port=port, observer=observer), host)


if __name__ == "__main__":
    sys.exit(main())
