# SPDX-License-Identifier: Apache-2.0
"""All fuzz targets by name."""

from __future__ import annotations

from tests.fuzz import attest_targets, guest_targets, outer_targets, wire_targets

TARGETS = {
    target.name: target
    for target in (
        *attest_targets.TARGETS,
        *wire_targets.TARGETS,
        *outer_targets.TARGETS,
        *guest_targets.TARGETS,
    )
}
