# SPDX-License-Identifier: Apache-2.0
"""Memory for secrets: what the kernel is told about it, and what is left of a secret afterwards."""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path

import pytest

from guest.secretmem import SLOT_BYTES, FullError, SecretMemory
from tests.guest.rig import in_child


def flags(address: int) -> set[str]:
    """The flags of the mapping that holds an address, as proc(5) names them."""
    found = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        start, _, rest = line.partition("-")
        if rest and " " in rest and ":" not in start:
            end = rest.split(" ", maxsplit=1)[0]
            found = int(start, 16) <= address < int(end, 16)
        elif found and line.startswith("VmFlags:"):
            return set(line.split()[1:])
    raise AssertionError("no mapping")


def address(view: memoryview) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(view))


def test_the_pages_are_locked_and_in_no_dump_and_a_fork_does_not_have_them() -> None:
    memory = SecretMemory(8)
    assert memory.locked
    assert {"lo", "dd", "wf"} <= flags(address(memory.take().view))


def test_pages_that_are_to_survive_a_fork_do() -> None:
    memory = SecretMemory(1, survives_fork=True)
    slot = memory.take()
    slot.view[:4] = b"kept"
    assert {"lo", "dd"} <= flags(address(slot.view))
    assert "wf" not in flags(address(slot.view))
    assert in_child(lambda: bytes(slot.view[:4]).decode()) == "kept"


def test_a_fork_finds_zeros() -> None:
    slot = SecretMemory(1).take()
    slot.view[:] = b"s" * SLOT_BYTES
    assert in_child(lambda: bytes(slot.view).hex()) == bytes(SLOT_BYTES).hex()
    assert slot.view == b"s" * SLOT_BYTES


def test_a_limit_that_is_too_low_is_told() -> None:
    def unlocked() -> bool:
        os.setresuid(65534, 65534, 65534)  # root may lock what it likes
        return SecretMemory(8).locked

    def limited() -> bool:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
        return unlocked() if os.getuid() == 0 else SecretMemory(8).locked

    assert in_child(limited) is False


def test_a_slot_is_wiped_before_somebody_else_has_it() -> None:
    memory = SecretMemory(1)
    slot = memory.take()
    slot.view[:] = b"s" * SLOT_BYTES
    slot.wipe()
    again = memory.take()
    assert address(again.view) == address(slot.view)
    assert again.view == bytes(SLOT_BYTES)


def test_wiping_twice_does_not_wipe_the_next_ones_secret() -> None:
    memory = SecretMemory(1)
    slot = memory.take()
    slot.wipe()
    again = memory.take()
    again.view[:] = b"t" * SLOT_BYTES
    slot.wipe()
    assert again.view == b"t" * SLOT_BYTES
    with pytest.raises(FullError):
        memory.take()


def test_slots_do_not_overlap_and_there_are_no_more_than_that() -> None:
    memory = SecretMemory(4)
    slots = [memory.take() for _ in range(4)]
    for number, slot in enumerate(slots):
        slot.view[:] = bytes([number]) * SLOT_BYTES
    assert [bytes(slot.view) for slot in slots] == [bytes([n]) * SLOT_BYTES for n in range(4)]
    with pytest.raises(FullError):
        memory.take()
