# SPDX-License-Identifier: Apache-2.0
"""The built image, booted: what all tests of this folder share, and how long they may take.

They want `make image` and are for `make boot`: each boot takes the better part of a minute, since
the processor is emulated. One machine serves all tests that only ask it things (`house`).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.model import default_model
from lab.vm import inside
from lab.vm.probe import Probe, overlay
from lab.vm.release import load_image
from lab.vm.standin import write_stand_in
from lab.vm.tools import Tools, load_tools
from tests.boot.house import House, StandIn, standing

TIMEOUT_S = 900  # of one test, a boot or two included


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These are for `make boot`, and need the time that an emulated processor takes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.boot)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def tools() -> Tools:
    return load_tools()


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    """The model that an emulated processor can run."""
    path = tmp_path_factory.mktemp("model") / "stand-in.gguf"
    return StandIn(path, write_stand_in(default_model(), path))


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, stand_in: StandIn) -> Iterator[House]:
    """A deployment whose guest is the test image with the stand-in for a model, and a probe."""
    folder = tmp_path_factory.mktemp("house")
    image = load_image("test").with_overlay(overlay(), folder / "probed")
    probe = Probe()
    answer = {inside.PORT: probe.serve}
    with standing(folder, stand_in.published_by(image, folder), stand_in, answer=answer) as lab:
        yield House(lab, stand_in, probe)
