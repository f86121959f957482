# SPDX-License-Identifier: Apache-2.0
"""The table of all attacks that need a lab, in the order in which they run."""

from __future__ import annotations

from typing import Final

from lab.attack import captured, environment, escapes, hops, host, platform, statements, tsm
from lab.attack.site import LabSite
from sealroom.attack.attack import Attack

ATTACKS: Final[tuple[Attack[LabSite], ...]] = (
    *platform.ATTACKS,
    *statements.ATTACKS,
    *tsm.ATTACKS,
    *hops.ATTACKS,
    *host.ATTACKS,
    *environment.ATTACKS,
    *escapes.ATTACKS,
    *captured.ATTACKS,
)
