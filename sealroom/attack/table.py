# SPDX-License-Identifier: Apache-2.0
"""The table of all attacks that a client alone can carry out, in the order in which they run."""

from __future__ import annotations

from typing import Final

from sealroom.attack import answers, evidence, http, requests
from sealroom.attack.attack import Attack
from sealroom.attack.target import Target

ATTACKS: Final[tuple[Attack[Target], ...]] = (
    *evidence.ATTACKS,
    *requests.ATTACKS,
    *answers.ATTACKS,
    *http.ATTACKS,
)
