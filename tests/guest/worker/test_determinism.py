# SPDX-License-Identifier: Apache-2.0
"""What somebody asked before changes no bit of what somebody else gets (design §3).

Compared are all scores of each token, which tell more than the text: 49,152 numbers a token.
"""

import functools
import json
import subprocess
import sys
from typing import Any

import pytest

from tests.contract.repository import ROOT


@functools.cache
def served(*requests: str) -> Any:
    """What a fresh process that answers these requests prints (`tests.guest.worker.logits`)."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.guest.worker.logits", *requests],
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    return json.loads(ran.stdout)


@pytest.mark.slow
def test_a_request_after_others_gets_the_scores_it_gets_from_a_fresh_process() -> None:
    fresh = served("asked")["answers"][0]
    assert served("secret", "other", "asked")["answers"][2] == fresh
    assert fresh["text"].strip()


@pytest.mark.slow
def test_the_scores_tell_requests_apart() -> None:
    answers = served("secret", "other", "asked")["answers"]
    assert len({answer["scores"] for answer in answers}) == 3


@pytest.mark.slow
def test_what_workers_do_leaves_the_saved_prefixes_as_they_were() -> None:
    ran = served("secret", "other", "asked")
    assert ran["after"] == ran["before"]
    assert {answer["state"] for answer in ran["answers"]} == set(ran["before"].values())
    assert ran["before"] == served("asked")["before"]


def test_a_process_that_serves_shares_no_page_it_could_write() -> None:
    assert served("asked")["shared"] == []
