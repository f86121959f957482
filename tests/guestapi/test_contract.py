# SPDX-License-Identifier: Apache-2.0
"""The contract between host and guest: stubs are current, the refusal table is one to one."""

from __future__ import annotations

import pytest
from grpclib import GRPCError, Status
from hypothesis import given
from hypothesis import strategies as st

from guestapi import REFUSALS, TARGET_HEX_DIGITS, Reason, reason_of, refusal
from guestapi.generate import GENERATED, ROOM, generate
from guestapi.guest_grpc import GuestBase


@pytest.fixture(scope="module")
def generated() -> dict[str, str]:
    return generate()


@pytest.mark.parametrize("name", GENERATED)
def test_a_committed_stub_is_what_the_compiler_makes(name: str, generated: dict[str, str]) -> None:
    assert (ROOM / name).read_bytes() == generated[name].encode("utf-8")


def test_the_service_has_three_calls() -> None:
    assert GuestBase.__abstractmethods__ == {"Exchange", "Evidence", "Health"}


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_is_read_back_as_its_reason(reason: Reason) -> None:
    assert reason_of(refusal(reason)) is reason


def test_every_reason_has_its_own_grpc_status() -> None:
    assert set(REFUSALS) == set(Reason)
    assert len({row.grpc for row in REFUSALS.values()}) == len(Reason)


@given(
    st.sampled_from(list(Status)), st.one_of(st.none(), st.text(), st.sampled_from(list(Reason)))
)
def test_any_grpc_error_has_a_reason_and_only_rows_are_believed(
    status: Status, message: str | None
) -> None:
    reason = reason_of(GRPCError(status, message))
    believed = (REFUSALS[reason].grpc, reason.value) == (status, message)
    assert believed or reason is Reason.UNAVAILABLE


def test_limits_in_the_proto_file_are_those_in_the_code() -> None:
    text = (ROOM / "guest.proto").read_text(encoding="utf-8")
    for stated in (
        "1 to 65536 bytes",
        "at most 524288 bytes",
        "at most 65536 bytes",
        "at most 64",
        f"{TARGET_HEX_DIGITS} lower-case hex digits",
    ):
        assert stated in text
