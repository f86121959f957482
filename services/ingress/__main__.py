# SPDX-License-Identifier: Apache-2.0
"""The command line of the ingress: `python -m services.ingress`."""

from __future__ import annotations

import argparse
import sys
import time

from services.command import (
    EXIT_CODES,
    add_service_arguments,
    listen_address,
    print_observation,
    run,
)
from services.ingress.address import AddressError, GuestAddress, parse_address
from services.ingress.ingress import Ingress
from services.ingress.metrics import Metrics
from services.ingress.metrics_server import MeasuredIngress
from services.observer import unobserved

DESCRIPTION = """\
The operator's HTTP door to the guests (an OHTTP gateway resource that cannot decrypt).

POST /t/TARGET goes to the guest that has TARGET, as opaque bytes. The guests' evidence and keys
are served at /.well-known/sealroom-evidence and /.well-known/ohttp-gateway. GET /healthz is 200
while at least one guest answers. Prints 'listening on HOST:PORT' when it is ready, and before that,
if asked for metrics, 'metrics on HOST:PORT'.
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
    parser.add_argument(
        "--metrics",
        type=listen_address,
        metavar="HOST:PORT",
        help="show coarse counts at /metrics of this address, for the operator (default: nowhere)",
    )
    options = parser.parse_args(arguments)
    host, port = options.listen
    observer = print_observation if options.observe else unobserved
    metrics = Metrics(clock=time.monotonic)
    ingress = Ingress(options.guest, host=host, port=port, observer=observer, metrics=metrics)
    if options.metrics is None:
        return run(ingress, host)
    shown, metrics_port = options.metrics

    def ready(port: int) -> None:
        name = f"[{shown}]" if ":" in shown else shown
        print(f"metrics on {name}:{port}", flush=True)

    measured = MeasuredIngress(ingress, metrics, host=shown, port=metrics_port, on_ready=ready)
    return run(measured, host)


if __name__ == "__main__":
    sys.exit(main())
