# SPDX-License-Identifier: Apache-2.0
"""Run one target under atheris: `python -m tests.fuzz.one TARGET [libFuzzer's arguments]`.

The parsers are imported here, under instrumentation, so nothing may have imported them before.
"""

from __future__ import annotations

import sys

import atheris

ROOMS = ["attest", "wire", "sealroom", "guest"]

with atheris.instrument_imports(include=ROOMS):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Does not come back: libFuzzer ends the process."""
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name].accepts)
    atheris.Fuzz()


main()
