# SPDX-License-Identifier: Apache-2.0
"""The table of what may be said: every row, and each way to break one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.door import (
    DOORS,
    Cause,
    DoorError,
    Ear,
    Ended,
    Ending,
    Opening,
    Process,
    Question,
    Refusal,
    Rule,
    Say,
    rules,
)
from guestapi import Reason

ROWS = [(*door, say, rule) for door, said in DOORS.items() for say, rule in said.items()]
ONCE = [row for row in ROWS if row[3].once]
AGAIN = [row for row in ROWS if not row[3].once]
UNLISTED = [(*door, say) for door in DOORS for say in Say if say not in DOORS[door]]

BODIES = (Opening, Ending, Question)


@pytest.mark.parametrize(("speaker", "listener", "say", "rule"), ROWS)
def test_what_is_listed_may_be_said_at_its_largest(
    speaker: Process, listener: Process, say: Say, rule: Rule
) -> None:
    assert Ear(speaker, listener).admit(say, rule.body_max_bytes, rule.fds) is say


@pytest.mark.parametrize(("speaker", "listener", "say"), UNLISTED)
def test_what_is_not_listed_may_not_be_said(speaker: Process, listener: Process, say: Say) -> None:
    with pytest.raises(DoorError, match="not in the table"):
        Ear(speaker, listener).admit(say, 0, 0)


@pytest.mark.parametrize(("speaker", "listener", "say", "rule"), ROWS)
def test_one_byte_more_may_not_be_said(
    speaker: Process, listener: Process, say: Say, rule: Rule
) -> None:
    with pytest.raises(DoorError, match="bytes"):
        Ear(speaker, listener).admit(say, rule.body_max_bytes + 1, rule.fds)


@pytest.mark.parametrize("off", [-1, 1])
@pytest.mark.parametrize(("speaker", "listener", "say", "rule"), ROWS)
def test_another_number_of_descriptors_may_not_come_along(
    speaker: Process, listener: Process, say: Say, rule: Rule, off: int
) -> None:
    with pytest.raises(DoorError, match="descriptors"):
        Ear(speaker, listener).admit(say, 0, rule.fds + off)


@pytest.mark.parametrize(("speaker", "listener", "say", "rule"), ONCE)
def test_what_may_be_said_once_may_not_be_said_twice(
    speaker: Process, listener: Process, say: Say, rule: Rule
) -> None:
    ear = Ear(speaker, listener)
    ear.admit(say, 0, rule.fds)
    with pytest.raises(DoorError, match="twice"):
        ear.admit(say, 0, rule.fds)


@pytest.mark.parametrize(("speaker", "listener", "say", "rule"), AGAIN)
def test_the_rest_may_be_said_again(
    speaker: Process, listener: Process, say: Say, rule: Rule
) -> None:
    ear = Ear(speaker, listener)
    ear.admit(say, 0, rule.fds)
    assert ear.admit(say, 0, rule.fds) is say


def test_a_refused_parcel_does_not_count_as_said() -> None:
    ear = Ear(Process.WORKER, Process.KEYHOLDER)
    with pytest.raises(DoorError):
        ear.admit(Say.ASK, 2049, 0)
    assert ear.admit(Say.ASK, 2048, 0) is Say.ASK


@given(st.integers(0, 255), st.integers(0, 1 << 20), st.integers(0, 4))
def test_a_worker_that_says_anything_to_the_keyholder_is_judged(
    kind: int, body_bytes: int, fds: int
) -> None:
    try:
        said = Ear(Process.WORKER, Process.KEYHOLDER).admit(kind, body_bytes, fds)
    except DoorError:
        return
    assert said in {Say.ASK, Say.MARK}


def test_a_pair_of_processes_without_a_door_has_no_rules() -> None:
    with pytest.raises(KeyError):
        rules(Process.GATE, Process.GATE)


def test_every_door_has_two_directions() -> None:
    assert {(listener, speaker) for speaker, listener in DOORS} == set(DOORS)


def test_no_worker_can_hand_a_descriptor_to_anyone() -> None:
    assert [row for row in ROWS if row[0] is Process.WORKER and row[3].fds] == []


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("queued_ms", [0, 1, 2**32 - 1])
def test_an_opening_is_read_as_written(chunked: bool, queued_ms: int) -> None:
    opening = Opening(chunked, queued_ms)
    assert Opening.parse(opening.write()) == opening


def test_a_wait_too_long_to_be_written_is_written_as_the_longest() -> None:
    assert Opening.parse(Opening(True, 2**40).write()).queued_ms == 2**32 - 1


@pytest.mark.parametrize("ended", Ended)
@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("code", [0, 9, 255])
def test_an_ending_is_read_as_written(ended: Ended, code: int, cause: Cause) -> None:
    ending = Ending(ended, code, cause)
    assert Ending.parse(ending.write()) == ending


@pytest.mark.parametrize("chunked", [False, True])
def test_a_question_is_read_as_written(chunked: bool) -> None:
    question = Question(chunked, b"\x07" * 7, b"enc")
    assert Question.parse(question.write()) == question


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Opening, b""),
        (Opening, b"\x01\x00\x00\x00"),
        (Opening, b"\x01\x00\x00\x00\x00\x00"),
        (Opening, b"\x02\x00\x00\x00\x00"),
        (Ending, b""),
        (Ending, b"exited 0"),
        (Ending, b"exited 0 none "),
        (Ending, b"exited  0 none"),
        (Ending, b"exited +0 none"),
        (Ending, b"exited 00 none"),
        (Ending, b"exited 1_0 none"),
        (Ending, b"exited \xd9\xa1 none"),
        (Ending, b"Exited 0 none"),
        (Ending, b"exited 0 gone"),
        (Ending, b"\xff\xff\xff"),
        (Question, b""),
        (Question, b"\x00" * 8),
        (Question, b"\x02" + b"\x00" * 8),
    ],
)
def test_another_spelling_is_refused(
    kind: type[Opening] | type[Ending] | type[Question], body: bytes
) -> None:
    with pytest.raises(DoorError):
        kind.parse(body)


@pytest.mark.parametrize("kind", BODIES)
@given(body=st.binary(max_size=64))
def test_any_bytes_are_one_body_or_refused(
    kind: type[Opening] | type[Ending] | type[Question], body: bytes
) -> None:
    try:
        read = kind.parse(body)
    except DoorError:
        return
    assert read.write() == body


def test_the_words_of_a_refusal_are_those_of_the_service() -> None:
    assert [refusal.value for refusal in Refusal] == [reason.value for reason in Reason]
