# SPDX-License-Identifier: Apache-2.0
"""`sealroom verify EVIDENCE`: what `connect` verifies, of a file and offline."""

from __future__ import annotations

import argparse
import json

from attest.evidence import EVIDENCE_MAX_BYTES
from sealroom.cli_files import read_input
from sealroom.cli_report import guest_json, guest_lines, printable
from sealroom.errors import EXIT_OK
from sealroom.evidence import verify_evidence
from sealroom.room import wall_clock
from sealroom.trust import Trust


def verify(args: argparse.Namespace) -> int:
    """Prints what was verified; a guest that is not trusted is raised as `NotTrusted`."""
    trust = Trust.load(args.trust)
    data = read_input(args.file, EVIDENCE_MAX_BYTES)
    guest = verify_evidence(data, trust, now=args.at or wall_clock())
    if args.json:
        print(json.dumps({"guest": guest_json(guest)}, indent=2))
    else:
        print("the guest is trusted")
        for line in guest_lines(guest):
            print(printable(line))
    return EXIT_OK
