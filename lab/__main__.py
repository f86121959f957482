# SPDX-License-Identifier: Apache-2.0
"""``python -m lab``: a whole deployment on this host, to try (`up`) or to watch (`demo`)."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
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
ENDING: Final = (signal.SIGINT, signal.SIGTERM)
SIGNALLED: Final = 128  # and the signal's number, as shells have it


class _Ended:
    """The first signal interrupts, whatever is being done; later ones do not disturb the end.

    Attributes:
        number: of the signal, 0 before one came.
    """

    def __init__(self) -> None:
        self.number = 0
        for number in ENDING:
            signal.signal(number, self._interrupt)

    def _interrupt(self, number: int, _frame: FrameType | None) -> None:
        if not self.number:
            self.number = number
            raise KeyboardInterrupt


def main() -> int:
    """Exit codes: 0; 1 for what could not be started or answered; 2 for wrong usage.

    128 and more for a signal before `demo` had ended or `up` was up.
    """
    given = _given()
    ended = _Ended()
    try:
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sealroom-"))
            lab = _chosen(given, Path(folder))
            stack.callback(lab.stop)  # once more, where a signal interrupted it
            if given.command == "demo":
                demo(lab, given.chat, as_json=given.json)
            else:
                _up(lab)
    except (DeploymentError, ModelError, SealroomError, VmError, OSError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: stopped", file=sys.stderr)
        return SIGNALLED + ended.number
    return 0


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("--model", type=Path, help="a GGUF file (default: what `make model` made)")
    hardware = argparse.ArgumentParser(add_help=False)
    hardware.add_argument(
        "--platform", choices=PLATFORMS, default="snp", help="which one is mocked (default: snp)"
    )
    hardware.add_argument(
        "--image",
        action="store_true",
        help="the guest is the test variant of the built image (make image), booted in an emulated "
        "machine; without --model it has a stand-in for a model, which makes no sense but answers "
        "within minutes, for a processor that is emulated is a hundred times slower",
    )
    parts = parser.add_subparsers(dest="command", required=True)
    up = parts.add_parser(
        "up", parents=[hardware], help="start relay, ingress and guest; Ctrl-C stops them"
    )
    up.add_argument("--slots", type=int, help="requests answered at once (default: 2)")
    up.add_argument("--threads", type=int, help="threads of one request (default: 1)")
    show = parts.add_parser(
        "demo", parents=[hardware], help="summarise a chat end to end and tell what happened"
    )
    show.add_argument("chat", type=Path, nargs="?", default=SAMPLE, help="a chat file")
    show.add_argument("--json", action="store_true", help="the same as data")
    given = parser.parse_args()
    if given.image and given.command == "up" and (given.slots or given.threads):
        up.error("--slots and --threads do not go with --image, which has one of each")
    return given


def _chosen(given: argparse.Namespace, folder: Path) -> Deployment:
    platform = PLATFORMS[given.platform]
    if given.image:
        return booted(folder, given.model, platform, tell=_tell)
    slots, threads = (1, 1) if given.command == "demo" else (given.slots, given.threads)
    plan = GuestPlan(platform=platform, slots=slots or 2, threads=threads or 1)
    return Deployment(folder, given.model or default_model(), plan)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _up(deployment: Deployment) -> None:
    print(f"starting {deployment.GUEST}, an ingress and a relay …", flush=True)
    for note in deployment.notes:
        print(f"   {note}", flush=True)
    with deployment as lab, contextlib.suppress(KeyboardInterrupt):
        print(f"relay     {lab.relay_url}")
        print(f"ingress   {lab.ingress_url}")
        print(f"guest     gRPC on {lab.guest_address} (mock {lab.plan.platform})")
        print(f"trust     {lab.trust}")
        print(f"endorsed  {lab.bundle}")
        print(f"journals  {lab.folder}/*.log")
        print(f"\n   sealroom summarize --trust {lab.trust} {SAMPLE}\n")
        print("Ctrl-C stops everything.", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
