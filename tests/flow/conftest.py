# SPDX-License-Identifier: Apache-2.0
"""Two deployments that all tests of this folder share.

`house` is the guest as it is, with the real prompts. `drill` has workers that go wrong on demand
(`tests.flow.programs.drill`), slots for three requests, no queue, and a short deadline.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.documents import GuestPlan
from lab.model import default_model
from tests.flow.site import DRILL, Site, standing

DRILL_DEADLINE_S = 6
DRILL_IDLE_S = 2
TIMEOUT_S = 300  # of one test, the start of a deployment included


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give these tests the time that a busy machine needs to start a guest."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def model() -> Path:
    return default_model()


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("house")
    with standing(folder, model, GuestPlan(slots=2, waiting_max=128)) as site:
        site.serves()
        yield site


@pytest.fixture(scope="session")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What goes wrong with the platform of `drill` when its keyholder starts next."""
    path = tmp_path_factory.mktemp("faults") / "faults.json"
    path.write_text(json.dumps({}))
    return path


@pytest.fixture(scope="session")
def drill(tmp_path_factory: pytest.TempPathFactory, model: Path, faults: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("drill")
    plan = GuestPlan(
        slots=3,
        waiting_max=0,
        idle_max_s=DRILL_IDLE_S,
        deadline_s=DRILL_DEADLINE_S,
        faults={"file": str(faults)},
    )
    with standing(folder, model, plan, DRILL) as site:
        site.serves()
        yield site
