# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.hardware --output DIR`: every test marked `hardware`, and a report of them.

Inside a guest as root, or on the host of a guest of our image with `--guest vsock:CID:5000`. The
exit code is 0 if something held and nothing failed.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import pytest

from guest.keyholder.tsm import INBLOB_BYTES, TsmReport, request_report
from sealroom import __version__
from tests.hardware.collect import Collector
from tests.hardware.report import HardwareReport, Outcome, Row, read_machine
from tests.hardware.subject import kernel_configfs

HERE = Path(__file__).parent
PASSED_ON = ("endorsements", "expected", "guest")


def main(arguments: list[str] | None = None) -> int:
    """Run, write, and say where."""
    args = _parser().parse_args(arguments)
    collector = Collector()
    options = [f"--{name}={value}" for name in PASSED_ON if (value := getattr(args, name))]
    code = pytest.main(
        ["-m", "hardware", "-q", "-p", "no:cacheprovider", str(HERE), *options],
        plugins=[collector],
    )
    report = HardwareReport(
        release=__version__,
        machine=read_machine(),
        rows=(*collector.rows, *unfinished(code)),
        evidence=_evidence() if args.with_evidence else None,
    )
    files = report.write(args.output)
    sys.stdout.write(report.text())
    sys.stdout.write("".join(f"{file}\n" for file in files))
    return 0 if report.holds else 1


def unfinished(code: int) -> tuple[Row, ...]:
    """A row that fails if the run came to no end of its own: what held before it is not all."""
    if code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return ()
    return (Row("run", Outcome.FAILED, f"pytest ended with {code}, and not every check was made"),)


def _evidence() -> TsmReport:
    """A report over zeros, for the vectors of this project."""
    data = bytes(INBLOB_BYTES)
    with kernel_configfs() as configfs:
        return request_report(configfs, data, clock=time.monotonic, sleep=time.sleep)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.hardware", allow_abbrev=False)
    say = parser.add_argument
    say("--output", required=True, type=Path, metavar="DIR", help="where the two files go")
    say("--guest", metavar="ADDRESS", help="a guest of our image, such as vsock:42:5000")
    say("--expected", metavar="FILE", help="what `sealroom measure --json` wrote of the launch")
    say("--endorsements", metavar="FILE", help="what `sealroom endorsements` wrote")
    say("--with-evidence", action="store_true", help="add a report; it names the chip")
    return parser


if __name__ == "__main__":
    sys.exit(main())
