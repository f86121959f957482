# SPDX-License-Identifier: Apache-2.0
"""One deployment for all attacks, with the stub for a model, and one event loop for all of them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.attack.site import STUB, STUB_MODEL, STUB_PLAN, LabSite
from lab.deployment import Deployment

TIMEOUT_S = 300  # of one test, the start of deployments included


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this is slow, and needs the time that a busy machine takes to start a guest."""
    for item in items:
        if item.path.parent == Path(__file__).parent and "test_contract" not in item.path.name:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def site(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSite]:
    folder = tmp_path_factory.mktemp("site")
    model = folder / "stub.gguf"
    model.write_bytes(STUB_MODEL)
    with Deployment(folder / "lab", model, STUB_PLAN, programs=STUB) as lab:
        made = LabSite(lab, folder)
        try:
            yield made
        finally:
            runner.run(made.aclose())
