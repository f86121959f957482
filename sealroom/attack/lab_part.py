# SPDX-License-Identifier: Apache-2.0
"""The one place that looks for the attacks of the package `lab`, by name and at run time.

`lab` stands on top of this package and is not in the wheel, so nothing here may import it. Where it
is installed, `lab.attack.part` has its own rows and brings a fresh deployment up to attack.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol, cast

from sealroom.attack.attack import Attack
from sealroom.attack.target import Target

PACKAGE: Final = "lab"
MODULE: Final = "lab.attack.part"
SKIPPED: Final = "it needs the inside of a deployment, and only a relay is given"


class Site(Protocol):
    """A fresh deployment, from outside and from inside."""

    @property
    def target(self) -> Target:
        """What a client knows of it."""


class LabPart(Protocol):
    """What `lab.attack.part` has."""

    ATTACKS: tuple[Attack[Any], ...]
    """Rows whose `run` takes what `fresh` gives."""

    fresh: Callable[[Callable[[str], None]], AbstractAsyncContextManager[Site]]
    """Brings a deployment up, telling what it does meanwhile, and takes it down again.

    Raises:
        UnclearError: it did not come up.
    """


def lab_part() -> LabPart | None:
    """The attacks of the lab; None where it is not installed."""
    if importlib.util.find_spec(PACKAGE) is None or importlib.util.find_spec(MODULE) is None:
        return None
    return cast("LabPart", importlib.import_module(MODULE))
