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
from lab.vm.deployment import booted
from lab.vm.errors import VmError
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
    hardware.add_argument(
        "--image",
        action="store_true",
        help="the guest is the built image, booted under emulation (make image); without --model "
        "it has a stand-in for a model, which makes no sense but answers within minutes",
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
    try:
        with tempfile.TemporaryDirectory(prefix="sealroom-") as name:
            lab = _chosen(given, Path(name))
            if given.command == "demo":
                demo(lab, given.chat, as_json=given.json)
            else:
                _up(lab)
    except (DeploymentError, ModelError, SealroomError, VmError, OSError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


def _chosen(given: argparse.Namespace, folder: Path) -> Deployment:
    platform = PLATFORMS[given.platform]
    if given.image:
        return booted(folder, given.model, platform)
    slots, threads = (1, 1) if given.command == "demo" else (given.slots, given.threads)
    plan = GuestPlan(platform=platform, slots=slots, threads=threads)
    return Deployment(folder, given.model or default_model(), plan)


def _up(deployment: Deployment) -> None:
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    print("starting guest, ingress and relay …", flush=True)
    with deployment as lab:
        print(f"relay     {lab.relay_url}")
        print(f"ingress   {lab.ingress_url}")
        print(f"guest     gRPC on {lab.guest_address} (mock {lab.plan.platform})")
        print(f"trust     {lab.trust}")
        print(f"endorsed  {lab.bundle}")
        print(f"journals  {lab.folder}/*.log")
        print(f"\n   sealroom summarize --trust {lab.trust} {SAMPLE}\n")
        print("Ctrl-C stops everything.", flush=True)
        over.wait()


if __name__ == "__main__":
    sys.exit(main())
