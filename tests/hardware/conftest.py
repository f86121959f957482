# SPDX-License-Identifier: Apache-2.0
"""What a run on hardware is told, and the platform it examines.

`--guest` says that this is the host of a guest of our image: then only its door is looked at.
Without it this is taken to be the inside of a guest.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from attest.endorsements import Endorsements, parse_endorsements
from attest.roots import pinned_roots
from sealroom.measurement import read_measurement, values
from services.ingress.address import GuestAddress, parse_address
from tests.hardware.subject import Subject, kernel_configfs

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hardware")
    group.addoption("--endorsements", help="a bundle that `sealroom endorsements` wrote")
    group.addoption("--expected", help="what `sealroom measure --json` wrote of the launch")
    group.addoption("--guest", help="a guest of our image, such as vsock:42:5000")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the half that is not about this machine."""
    half = "test_inside" if config.getoption("--guest", default=None) else "test_door"
    out = [item for item in items if item.path.stem == half and item.path.parent == HERE]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


@pytest.fixture(scope="session")
def expected(request: pytest.FixtureRequest) -> dict[str, bytes]:
    """What a report must show, if that was given."""
    name = request.config.getoption("--expected", default=None)
    return {} if name is None else values(read_measurement(Path(name).read_bytes()))


@pytest.fixture(scope="session")
def endorsements(request: pytest.FixtureRequest) -> Endorsements | None:
    """What vouches for the platform's reports, if that was given."""
    name = request.config.getoption("--endorsements", default=None)
    return None if name is None else parse_endorsements(Path(name).read_bytes())


@pytest.fixture(scope="session")
def subject(expected: dict[str, bytes], endorsements: Endorsements | None) -> Iterator[Subject]:
    """The platform of the guest that this runs in."""
    with kernel_configfs() as configfs:
        yield Subject(
            configfs=configfs,
            roots=pinned_roots(),
            endorsements=endorsements,
            expected=expected,
            now=datetime.now(UTC),
        )


@pytest.fixture(scope="session")
def address(request: pytest.FixtureRequest) -> GuestAddress:
    """Where the guest of our image listens."""
    return parse_address(request.config.getoption("--guest"))
