# SPDX-License-Identifier: Apache-2.0
"""The two lives of PID 1, as real processes that are started as the kernel would."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from guest.boot import environment
from guest.boot.environment import COERCED, KERNELS
from guest.boot.reasons import BootError, Reason
from guest.environment import ENVIRONMENT

# As `/init` begins in the image, and then what a life can see of itself.
PROGRAM = f"""
import sys
sys.path.append({str(Path(environment.__file__).parents[2])!r})
from guest.boot import environment
environment.renew()
import json, os
flags = [sys.flags.isolated, sys.flags.no_site, "site" in sys.modules]
born = sorted(filter(None, open("/proc/self/environ").read().split("\\0")))
print(json.dumps([dict(os.environ), born, sys.argv, flags]))
"""


def live(folder: Path, given: dict[str, str], *words: str) -> list[Any]:
    """What the program says of the life it ends in."""
    path = folder / "init"
    path.write_text(PROGRAM)
    command = [sys.executable, "-I", "-S", str(path), *words]
    run = subprocess.run(command, env=given, capture_output=True, text=True, check=True)
    said: list[Any] = json.loads(run.stdout)
    assert said[2] == [str(path), *words]
    return said


@pytest.mark.parametrize("given", [KERNELS, {**KERNELS, **COERCED}], ids=["as it is", "coerced"])
def test_the_second_life_has_the_literal_environment_and_was_born_with_it(
    given: dict[str, str], tmp_path: Path
) -> None:
    now, born, _, flags = live(tmp_path, dict(given))
    assert now == ENVIRONMENT
    assert born == sorted(f"{name}={value}" for name, value in ENVIRONMENT.items())
    assert flags == [1, 1, False]


@pytest.mark.parametrize(
    "given",
    [
        {**KERNELS, "quiet": "1"},
        {**KERNELS, "HOME": "/root"},
        {"HOME": "/"},
        {**KERNELS, "PYTHONPATH": "/elsewhere"},
    ],
)
def test_a_word_of_the_command_line_among_the_variables_ends_the_first_life_nowhere(
    given: dict[str, str], tmp_path: Path
) -> None:
    now, *_ = live(tmp_path, given)
    assert given.items() <= now.items()
    with pytest.raises(BootError) as caught:
        environment.verify(now, ["/init"])
    assert caught.value.reason is Reason.ENVIRONMENT


def test_arguments_come_along_and_are_refused(tmp_path: Path) -> None:
    now, _, arguments, _ = live(tmp_path, dict(KERNELS), "single")
    assert now == ENVIRONMENT
    with pytest.raises(BootError) as caught:
        environment.verify(now, arguments)
    assert caught.value.reason is Reason.ENVIRONMENT


def test_the_second_life_is_accepted() -> None:
    environment.verify(dict(ENVIRONMENT), ["/init"])
    with pytest.raises(BootError):
        environment.verify({**ENVIRONMENT, "TERM": "linux"}, ["/init"])
