# SPDX-License-Identifier: Apache-2.0
"""Inside an SEV-SNP or TDX guest, as root: the platform through the kernel's own configfs-tsm."""

from collections.abc import Callable

import pytest

from tests.hardware.checks import CHECKS, Check
from tests.hardware.subject import NotHereError, Subject

pytestmark = pytest.mark.hardware


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_inside(
    check: Check[Subject], subject: Subject, record_property: Callable[[str, object], None]
) -> None:
    try:
        record_property("found", check.run(subject))
    except NotHereError as error:
        pytest.skip(str(error))
