# SPDX-License-Identifier: Apache-2.0
"""The names and words other people's code may depend on, one a line, sorted.

    python -m tests.contract.public_api > tests/contract/public_api.txt

A change of that file is a change of the public interface: it belongs into CHANGELOG.md.
"""

import importlib
import sys
from enum import Enum

PACKAGES = ("attest", "sealroom")
# Values that leave the process: in JSON, in exit codes, on the wire.
WORDS = (
    ("attest.findings", "Reason"),
    ("attest.findings", "Stage"),
    ("wire.api", "ErrorCode"),
    ("wire.api", "Tone"),
)


def exported(package: str) -> list[str]:
    """Return the package's `__all__`, as it stands there."""
    names: list[str] = importlib.import_module(package).__all__
    return names


def words(module: str, name: str) -> list[str]:
    """Return the members of an enumeration with their values."""
    members: type[Enum] = getattr(importlib.import_module(module), name)
    return [f"{module}.{name}.{member.name} = {member.value!r}" for member in members]


def lines() -> list[str]:
    """Return the whole public interface."""
    names = [f"{package}.{name}" for package in PACKAGES for name in exported(package)]
    return sorted([*names, *(line for pair in WORDS for line in words(*pair))])


if __name__ == "__main__":
    sys.stdout.write("".join(f"{line}\n" for line in lines()))
