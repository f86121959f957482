# SPDX-License-Identifier: Apache-2.0
"""What came of each test of a run, as rows of a report."""

from __future__ import annotations

import re

import pytest

from attest.errors import AttestError
from guest.boot.reasons import BootError
from guest.keyholder.tsm import TsmError
from services.problems import Refused
from tests.hardware.report import Outcome, Row, shortened
from tests.hardware.subject import CheckError

# Exceptions of these types say nothing but what their authors put into them.
TOLD = (AttestError, BootError, CheckError, OSError, Refused, TsmError)
_PARAMETER = re.compile(r"\[(.+)\]$")


class Collector:
    """A pytest plugin."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._problems: dict[str, str] = {}

    @pytest.hookimpl
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Keep what a failure says, unless it could say anything."""
        if call.excinfo is None or call.excinfo.errisinstance(pytest.skip.Exception):
            return
        error = call.excinfo.value
        text = str(error) if isinstance(error, TOLD) else "of a kind that is not foreseen"
        self._problems[item.nodeid] = shortened(f"{type(error).__name__}: {text}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One row for each test: of its call, or of a set-up or tear-down that went wrong."""
        if report.when != "call" and report.passed:
            return
        match = _PARAMETER.search(report.nodeid)
        name = match[1] if match else report.nodeid
        if report.skipped:
            told = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            row = Row(name, Outcome.NOT_HERE, shortened(told.removeprefix("Skipped: ")))
        elif report.passed:
            found = dict(report.user_properties).get("found", "")
            row = Row(name, Outcome.HELD, shortened(str(found)))
        else:
            row = Row(name, Outcome.FAILED, self._problems.get(report.nodeid, "failed"))
        self.rows.append(row)
