# SPDX-License-Identifier: Apache-2.0
"""What all tests share that do not change it: a guest, a trust file that trusts it, a release."""

import shutil
from pathlib import Path

import pytest

from sealroom.release.manifest import Manifest
from sealroom.trust import Trust
from tests.sealroom import released
from tests.sealroom.guest import Guest


@pytest.fixture(scope="session")
def guest() -> Guest:
    return Guest()


@pytest.fixture(scope="session")
def trust(guest: Guest) -> Trust:
    return Trust.parse(guest.trust_file())


@pytest.fixture(scope="session")
def minted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """A release that `manifest` copies for each test."""
    folder = tmp_path_factory.mktemp("minted")
    return folder, released.mint(folder)


@pytest.fixture
def manifest(
    minted: tuple[Path, Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Manifest:
    """The manifest of a download, which is the folder `release` of the current one."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(minted[0], "release")
    return minted[1]
