# SPDX-License-Identifier: Apache-2.0
"""One guest for all tests that do not change it, and a trust file that trusts it."""

import pytest

from sealroom.trust import Trust
from tests.sealroom.guest import Guest


@pytest.fixture(scope="session")
def guest() -> Guest:
    return Guest()


@pytest.fixture(scope="session")
def trust(guest: Guest) -> Trust:
    return Trust.parse(guest.trust_file())
