# SPDX-License-Identifier: Apache-2.0
"""On the host of a guest of our image: what the guest shows to everybody."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from attest.roots import pinned_roots
from services.ingress.address import GuestAddress
from tests.hardware.checks import Check
from tests.hardware.door import CHECKS, Door
from tests.hardware.subject import NotHereError

pytestmark = pytest.mark.hardware


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_door(
    check: Check[Door],
    address: GuestAddress,
    expected: dict[str, bytes],
    record_property: Callable[[str, object], None],
) -> None:
    door = Door(address=address, roots=pinned_roots(), expected=expected, now=datetime.now(UTC))
    try:
        record_property("found", check.run(door))
    except NotHereError as error:
        pytest.skip(str(error))
