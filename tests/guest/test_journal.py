# SPDX-License-Identifier: Apache-2.0
"""What may be written down: one line of JSON per event, and nothing that could hold a word."""

import inspect
import json

import pytest

from guest.journal import Event, record


@pytest.mark.parametrize("event", Event)
def test_an_event_is_one_line_with_its_numbers(
    event: Event, capfd: pytest.CaptureFixture[str]
) -> None:
    record(event, code=7, epoch=2)
    written = capfd.readouterr()
    assert written.out == ""
    assert written.err.endswith("\n")
    assert json.loads(written.err) == {"event": event.value, "code": 7, "epoch": 2}


def test_only_an_event_and_numbers_can_be_written() -> None:
    parameters = inspect.signature(record, eval_str=True).parameters
    assert {name: p.annotation for name, p in parameters.items()} == {
        "event": Event,
        "numbers": int,
    }
