# SPDX-License-Identifier: Apache-2.0
"""Two guests, one of which answered others before: no bit of an answer tells which.

The workers of these guests say what they computed (`tests.flow.programs.overheard`).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from guest.door import Process
from lab.documents import GuestPlan
from sealroom import Room, Tone
from tests.flow.site import SCANNABLE, Site, standing
from tests.guest.worker.logits import shared_and_writable

OVERHEARD = {**SCANNABLE, "zygote": "tests.flow.programs.overheard"}
DIGEST_LETTERS = 64
ASKED = "where is the key, I need it now"
SECRETS = (
    "my password is correct horse battery staple",
    "the code of the safe is 7319",
    "x " * 400,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Site]:
    with standing(tmp_path_factory.mktemp("fresh"), model, GuestPlan(), OVERHEARD) as site:
        yield site


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Site]:
    with standing(tmp_path_factory.mktemp("used"), model, GuestPlan(), OVERHEARD) as site:
        with site.room() as room:
            for secret in SECRETS:
                computed(room, secret)
        yield site


def computed(room: Room, text: str) -> tuple[str, str, str]:
    """The digest of all scores, the digest of the saved prefix it began with, the answer."""
    scores, state, answer = room.rewrite(text, Tone.FRIENDLY).text.split(" ", 2)
    assert {len(scores), len(state)} == {DIGEST_LETTERS}
    return scores, state, answer


def test_an_answer_is_bit_for_bit_that_of_a_fresh_guest(fresh: Site, used: Site) -> None:
    with fresh.room() as first, used.room() as later:
        alone = computed(first, ASKED)
        after = computed(later, ASKED)
    assert after == alone


def test_the_digests_tell_requests_apart_and_the_prefix_is_one(used: Site) -> None:
    with used.room() as room:
        answers = [computed(room, text) for text in (ASKED, *SECRETS[:2])]
    assert len({scores for scores, _, _ in answers}) == 3
    assert len({state for _, state, _ in answers}) == 1


def test_a_zygote_shares_no_page_that_a_worker_could_write(used: Site) -> None:
    assert shared_and_writable(used.pids()[Process.ZYGOTE]) == []
