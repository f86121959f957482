# SPDX-License-Identifier: Apache-2.0
"""What may be written down: one line of JSON per event, and nothing that could hold a word."""

import hashlib
import inspect
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.journal import FIELDS, Event, Unit, record

WIDEST_BITS = 24


def written(capfd: pytest.CaptureFixture[str], event: Event, **numbers: int) -> dict[str, object]:
    record(event, **numbers)
    both = capfd.readouterr()
    assert both.out == ""
    assert both.err.endswith("\n")
    told = json.loads(both.err)
    assert isinstance(told, dict)
    return told


@pytest.mark.parametrize("event", Event)
def test_an_event_is_one_line_with_its_numbers(
    event: Event, capfd: pytest.CaptureFixture[str]
) -> None:
    numbers = dict.fromkeys(FIELDS[event], 1)
    assert written(capfd, event, **numbers) == {"event": event.value, **numbers}


def test_only_an_event_and_numbers_can_be_written() -> None:
    parameters = inspect.signature(record, eval_str=True).parameters
    assert {name: p.annotation for name, p in parameters.items()} == {
        "event": Event,
        "numbers": int,
    }


def test_a_number_that_no_row_declares_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TypeError, match=r"wanted .* got .*'length'"):
        record(Event.STARTED, length=7)
    assert capfd.readouterr().err == ""


def test_a_number_that_is_missing_is_refused() -> None:
    with pytest.raises(TypeError, match=r"wanted .*'state'"):
        record(Event.KEY_STATE, epoch=1)


@pytest.mark.parametrize("value", ["word", b"word", 1.5, True, None])
def test_what_is_no_integer_is_refused(value: int, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TypeError):
        record(Event.ATTESTATION_FAILED, code=value)
    assert capfd.readouterr().err == ""


def test_no_number_is_wide_enough_for_a_digest(capfd: pytest.CaptureFixture[str]) -> None:
    digest = int.from_bytes(hashlib.sha256(b"canary").digest()[:4], "big")
    told = written(capfd, Event.KEY_STATE, epoch=digest, state=digest)
    assert told == {"event": "key-state", "epoch": (1 << WIDEST_BITS) - 1, "state": 63}
    assert max(unit.value[1] - unit.value[0] for unit in Unit) < 1 << WIDEST_BITS


def test_a_journal_that_cannot_be_written_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, line: bytes) -> int:
        raise BrokenPipeError(line)

    monkeypatch.setattr("os.write", refuse)
    record(Event.STARTED)


@given(st.sampled_from(Event), st.integers())
def test_whatever_the_number_it_is_kept_within_its_unit(event: Event, number: int) -> None:
    lines: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.write", lambda _, line: lines.append(line))
        record(event, **dict.fromkeys(FIELDS[event], number))
    told = json.loads(lines[0])
    assert told.pop("event") == event.value
    for name, value in told.items():
        low, high = FIELDS[event][name].value
        assert low <= value <= high
        assert value in {number, low, high}
