# SPDX-License-Identifier: Apache-2.0
"""``python -m lab``: a whole deployment on this host, to try (`up`) or to watch (`demo`)."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Final

from attest.statement import Platform
from lab.demo import demo
from lab.deployment import Deployment, DeploymentError
from lab.documents import GuestPlan
from lab.model import ModelError, default_model
from sealroom import SealroomError

PLATFORMS: Final = {"snp": Platform.SEV_SNP, "tdx": Platform.TDX}
SAMPLE: Final = Path("examples") / "chats" / "trip_planning.txt"


def main() -> int:
    """Exit codes: 0, 1 for what could not be started or answered, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("--model", type=Path, help="a GGUF file (default: what `make model` made)")
    hardware = argparse.ArgumentParser(add_help=False)
    hardware.add_argument(
        "--platform", choices=PLATFORMS, default="snp", help="which one is mocked (default: snp)"
    )
    parts = parser.add_subparsers(dest="command", required=True)
    up = parts.add_parser(
        "up", parents=[hardware], help="start relay, ingress and guest; Ctrl-C stops them"
    )
    up.add_argument("--slots", type=int, default=2, help="requests answered at once")
    up.add_argument("--threads", type=int, default=1, help="threads of one request")
    show = parts.add_parser(
        "demo", parents=[hardware], help="summarise a chat end to end and tell what happened"
    )
    show.add_argument("chat", type=Path, nargs="?", default=SAMPLE, help="a chat file")
    show.add_argument("--json", action="store_true", help="the same as data")
    given = parser.parse_args()
    platform = PLATFORMS[given.platform]
    try:
        model = given.model or default_model()
        if given.command == "demo":
            demo(model, given.chat, platform=platform, as_json=given.json)
        else:
            _up(model, GuestPlan(platform=platform, slots=given.slots, threads=given.threads))
    except (DeploymentError, ModelError, SealroomError, OSError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


def _up(model: Path, plan: GuestPlan) -> None:
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with tempfile.TemporaryDirectory(prefix="sealroom-") as folder:
        print("starting guest, ingress and relay …", flush=True)
        with Deployment(Path(folder), model, plan) as lab:
            print(f"relay     {lab.relay_url}")
            print(f"ingress   {lab.ingress_url}")
            print(f"guest     gRPC on {lab.guest_address} (mock {plan.platform})")
            print(f"trust     {lab.trust}")
            print(f"endorsed  {lab.bundle}")
            print(f"journals  {folder}/*.log")
            print(f"\n   sealroom summarize --trust {lab.trust} {SAMPLE}\n")
            print("Ctrl-C stops everything.", flush=True)
            over.wait()


if __name__ == "__main__":
    sys.exit(main())
