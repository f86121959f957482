# SPDX-License-Identifier: Apache-2.0
"""Two hundred requests, good, broken and in the clear: no sink has a word of them.

This is a small `python -m bench.leaks`, which sends ten thousand. Every zero here stands beside a
control: the same search over the same place with a canary planted, which finds it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.documents import GuestPlan
from sealroom import Tone
from tests.flow.canaries import Canaries
from tests.flow.leaks import controls, examine, found_where_it_must_not_be
from tests.flow.programs.stub import ANSWER
from tests.flow.site import SCANNABLE, standing
from tests.flow.soak import GOOD, KINDS, SHORT, Soak

STUB = {**SCANNABLE, "zygote": "tests.flow.programs.stub"}
PLAN = GuestPlan(slots=4, waiting_max=128)
REQUESTS = 200

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def soak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Soak]:
    folder = tmp_path_factory.mktemp("soak")
    model = folder.with_name("stands-for-the-model")
    model.write_bytes(b"no model")
    with standing(folder, model, PLAN, STUB) as site, site.room() as room:
        assert room.rewrite("See you.", Tone.FRIENDLY).text == "".join(ANSWER)
        yield Soak(site, room, Canaries(), Canaries())


def test_after_two_hundred_requests_no_sink_has_a_word_of_them(soak: Soak) -> None:
    soak.run(REQUESTS, SHORT)
    assert set(soak.outcomes) == set(KINDS)
    assert found_where_it_must_not_be(examine(soak)) == []
    found = controls(soak)
    assert {name: counts["found"] for name, counts in found.items()} == {
        name: counts["planted"] for name, counts in found.items()
    }


def test_good_requests_were_answered_and_bad_ones_were_not(soak: Soak) -> None:
    assert {kind: set(soak.outcomes[kind]) for kind in GOOD} == {
        "rewrite": {"answered"},
        "summarize": {"answered"},
        "rewrite by hand": {"sealed 200"},
        "whole": {"sealed 200"},
    }
    refused = {kind: set(ends) for kind, ends in soak.outcomes.items() if kind not in GOOD}
    assert not any({"answered", "sealed 200", "200"} & ends for ends in refused.values())
