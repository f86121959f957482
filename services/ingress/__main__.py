# SPDX-License-Identifier: Apache-2.0
"""The command line of the ingress: `python -m services.ingress`."""

from __future__ import annotations

import argparse
import sys

from services.command import EXIT_CODES, add_service_arguments, print_observation, run
from services.ingress.address import AddressError, GuestAddress, parse_address
from services.ingress.ingress import Ingress
from services.observer import unobserved

DESCRIPTION = """\
The operator's HTTP door to the guests (an OHTTP gateway resource that cannot decrypt).

POST /t/TARGET goes to the guest that has TARGET, as opaque bytes. The guests' evidence and keys
are served at /.well-known/sealroom-evidence and /.well-known/ohttp-gateway. GET /healthz is 200
while at least one guest answers. Prints 'listening on HOST:PORT' when it is ready.
"""


def _guest(text: str) -> GuestAddress:
    try:
        return parse_address(text)
    except AddressError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def main(arguments: list[str] | None = None) -> int:
    """Run the ingress; the exit code is described by --help."""
    parser = argparse.ArgumentParser(
        prog="python -m services.ingress",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_service_arguments(parser, listen="127.0.0.1:8081")
    parser.add_argument(
        "--guest",
        type=_guest,
        action="append",
        required=True,
        metavar="ADDRESS",
        help="a guest: tcp:HOST:PORT or vsock:CID:PORT; may be given several times",
    )
    options = parser.parse_args(arguments)
    host, port = options.listen
    observer = print_observation if options.observe else unobserved
    return run(Ingress(options.guest, host=host, port=port, observer=observer), host)


if __name__ == "__main__":
    sys.exit(main())
