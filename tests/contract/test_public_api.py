# SPDX-License-Identifier: Apache-2.0
"""The public interface is small and does not change unnoticed."""

import importlib

import pytest

from tests.contract import public_api
from tests.contract.repository import text

NAMES_MAX = {"attest": 15, "sealroom": 40}


def test_the_public_interface_is_the_recorded_one() -> None:
    assert public_api.lines() == text("tests/contract/public_api.txt").splitlines()


@pytest.mark.parametrize("package", public_api.PACKAGES)
def test_exported_names_are_few_and_there(package: str) -> None:
    names = public_api.exported(package)
    module = importlib.import_module(package)
    assert len(names) == len(set(names))
    assert len(names) <= NAMES_MAX[package]
    assert [name for name in names if not hasattr(module, name)] == []


@pytest.mark.parametrize("package", public_api.PACKAGES)
def test_exported_things_say_what_they_are(package: str) -> None:
    module = importlib.import_module(package)
    things = {name: getattr(module, name) for name in public_api.exported(package)}
    assert [name for name, thing in things.items() if callable(thing) and not thing.__doc__] == []
