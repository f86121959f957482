# SPDX-License-Identifier: Apache-2.0
"""A private summary by a booted guest: from the device through relay, ingress and vsock, and back.

The evidence comes from the kernel's own configfs-tsm in the guest, whose provider asks a mock
platform on the host; everything above that is what runs in production. The mock says what it is
told to say of the launch; that the published measurement is right is for `make measure`.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from attest import Reason
from attest.receipt import Ended
from attest.statement import Platform
from lab.documents import write_trust
from lab.vm.deployment import LACKING, SLOW, with_model
from lab.vm.release import load_image
from sealroom import NotTrusted, Tone, Trust, connect, read_chat
from tests.boot.house import House, StandIn, room_of, standing

CHAT = Path("examples") / "chats" / "trip_planning.txt"


def test_a_chat_is_summarised(house: House) -> None:
    chat = read_chat(CHAT.read_bytes())
    with house.room() as room:
        answer = room.summarize(chat.messages)
    assert answer.text
    assert (answer.receipt.ended, answer.receipt.code) == (Ended.EXITED, 0)
    assert answer.guest.measurement == house.lab.plan.hardware().measurement


def test_the_report_was_made_through_the_kernel_of_the_guest(house: House) -> None:
    assert house.machine.tsm is not None
    assert house.machine.tsm.reports >= 1
    with house.room() as room:
        assert set(room.guest.statement.lacking) == LACKING


def test_another_measurement_is_not_trusted(house: House) -> None:
    other = write_trust(
        replace(house.lab.plan, measurement=bytes(48)),
        relay=house.lab.relay_url,
        model=house.stand_in.digest,
        config=(house.lab.folder / "guest.yaml").read_bytes(),
        lacking=LACKING,
    )
    with pytest.raises(NotTrusted) as refused, connect(trust=Trust.parse(other)):
        pass
    assert Reason.UNKNOWN_MEASUREMENT in {finding.reason for finding in refused.value.findings}


def test_a_text_is_rewritten_twice_with_nothing_kept(house: House) -> None:
    with house.room() as room:
        first, second = (room.rewrite("We are late, sorry!", Tone.FRIENDLY) for _ in range(2))
    assert first.text == second.text
    assert first.receipt.exchange != second.receipt.exchange


@pytest.mark.slow
def test_a_guest_on_tdx_has_its_collateral_from_a_third_disk(
    tmp_path: Path, stand_in: StandIn
) -> None:
    image = with_model(load_image("test"), stand_in.path, tmp_path, Platform.TDX)
    plan = replace(SLOW, platform=Platform.TDX)
    with (
        standing(tmp_path, image, stand_in, plan=plan) as lab,
        room_of(lab) as room,
    ):
        answer = room.rewrite("We are late, sorry!", Tone.FRIENDLY)
        assert answer.guest.platform is Platform.TDX
        assert answer.receipt.ended is Ended.EXITED
