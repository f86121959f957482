# SPDX-License-Identifier: Apache-2.0
"""The RAM search: a machine is held still, all of its memory is read, and no canary is in it.

A search that finds nothing proves nothing by itself. So the same search of the same machine finds
the canary while a worker has it; and it finds canaries after the receipt in two images that differ
in one thing each: a kernel that does not clear what is freed, and a zygote that lets a worker leave
its text where others see it. What is read is what qemu's own dump has: of those two machines, whose
vsock nobody needs any more, a dump is searched as well (why not of all: `lab.vm.memory`).
"""

from __future__ import annotations

from pathlib import Path

import pytest

import guest.worker.__main__ as zygote
from attest.receipt import Ended
from image import cpio, layout
from lab.memscan import Hit, Survey
from lab.vm.deployment import LACKING
from lab.vm.machine import Machine
from lab.vm.release import Image, load_image
from sealroom import Message, Room, Tone
from tests.boot.house import House, StandIn, room_of, standing
from tests.boot.programs import leaky
from tests.flow.canaries import Canaries

IN_A_WORKER = {"utf-8", "token-ids", "kv-values+0"}
"""A worker has its request as text, as token ids, and in its first layer's cache."""
ROUNDS = 3
ZYGOTE = f"{layout.PACKAGES}/guest/worker"
COMPILED = "__main__.cpython-313.pyc"


def search(machine: Machine, canaries: Canaries) -> list[Hit]:
    """Hits in all of the machine's memory as it is now."""
    survey = Survey()
    with machine.held() as memory:
        hits = canaries.search.file(memory, survey)
    assert survey.searched_bytes == machine.plan.memory_mib << 20
    return hits


def search_dump(machine: Machine, canaries: Canaries, into: Path) -> list[Hit]:
    """The same, in what qemu writes down of it; the machine is of no use afterwards."""
    survey = Survey()
    with machine.qmp() as qmp:
        qmp.dump_memory(into)
    hits = canaries.search.file(into, survey)
    into.unlink()
    assert survey.searched_bytes > machine.plan.memory_mib << 20
    return hits


def forms(hits: list[Hit]) -> set[str]:
    return {hit.form for hit in hits}


def ask(room: Room, canaries: Canaries) -> None:
    """A rewrite and a summary with canaries in text and sender, each to its receipt."""
    sender = canaries.text().split()[2]
    chat = [Message(sender, "", canaries.text())]
    answers = [room.rewrite(canaries.text(), Tone.FRIENDLY), room.summarize(chat)]
    assert [answer.receipt.ended for answer in answers] == [Ended.EXITED] * 2


@pytest.fixture(scope="module")
def canaries(stand_in: StandIn) -> Canaries:
    return Canaries(stand_in.path, digests=True)


def test_a_canary_is_in_memory_while_a_worker_has_it_and_not_after(
    house: House, canaries: Canaries
) -> None:
    with house.room() as room:
        stream = room.rewrite_stream(canaries.text(), Tone.FRIENDLY)
        next(stream)  # the model speaks, so it has read all of it
        during = search(house.machine, canaries)
        for _ in stream:
            pass
        assert stream.answer.receipt.ended is Ended.EXITED
        after = search(house.machine, canaries)
    assert forms(during) >= IN_A_WORKER
    assert after == []


def test_after_real_requests_no_canary_is_left_at_once_nor_later(
    house: House, canaries: Canaries
) -> None:
    with house.room() as room:
        for _ in range(ROUNDS):
            ask(room, canaries)
        at_once = search(house.machine, canaries)
        assert house.probe.look()  # the machine goes on meanwhile, and allocates
        later = search(house.machine, canaries)
    assert (at_once, later) == ([], [])


def after_requests(
    image: Image, folder: Path, stand_in: StandIn, lacking: frozenset[str]
) -> list[Hit]:
    """Hits in a machine of this image after the receipts of some requests."""
    canaries = Canaries(stand_in.path)
    with standing(folder, image, stand_in, lacking=lacking) as lab:
        assert lab.machine is not None
        with room_of(lab) as room:
            ask(room, canaries)
        hits = search(lab.machine, canaries)
        dumped = search_dump(lab.machine, canaries, folder / "dump")
    assert forms(dumped) == forms(hits)
    return hits


def test_a_kernel_that_does_not_clear_what_is_freed_leaves_canaries(
    tmp_path: Path, stand_in: StandIn
) -> None:
    image = stand_in.published_by(load_image("test"), tmp_path)
    words = image.cmdline.replace("init_on_free=1", "init_on_free=0")
    assert words != image.cmdline
    image = image.with_cmdline(words, tmp_path / "forgetful")
    assert forms(after_requests(image, tmp_path, stand_in, LACKING | {"init-on-free"}))


def test_a_zygote_that_shares_memory_with_its_workers_keeps_a_canary(
    tmp_path: Path, stand_in: StandIn
) -> None:
    leaking = [
        cpio.file(f"{ZYGOTE}/sound.py", Path(zygote.__file__).read_bytes()),
        cpio.file(f"{ZYGOTE}/__main__.py", Path(leaky.__file__).read_bytes()),
        cpio.file(f"{ZYGOTE}/__pycache__/{COMPILED}", b""),  # Python then reads the source
    ]
    image = load_image("test").with_overlay(leaking, tmp_path / "leaky")
    image = stand_in.published_by(image, tmp_path)
    assert "utf-8" in forms(after_requests(image, tmp_path, stand_in, LACKING))
