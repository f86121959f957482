# SPDX-License-Identifier: Apache-2.0
"""A production configuration on an ordinary host: nothing starts, and the reasons are named."""

import json
import subprocess
import sys
from pathlib import Path

from lab.documents import ORDINARY, lacking_here
from tests.guest.documents import document

RUN_MAX_S = 60


def test_a_production_guest_does_not_start_on_an_ordinary_host(tmp_path: Path) -> None:
    config, model = tmp_path / "guest.yaml", tmp_path / "model"
    config.write_bytes(document(variant="production"))
    model.touch()
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "lab.guest", "--mock={}"),
            *(f"--config={config}", f"--model={model}"),
        ],
        capture_output=True,
        text=True,
        timeout=RUN_MAX_S,
        check=False,
    )
    *journal, said = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert ended.stdout == ""
    start = "lab.guest: a production guest wants everything, lacking "
    assert said.startswith(start)
    named = said.removeprefix(start).split(", ")
    assert named == sorted(lacking_here())
    events = [json.loads(line) for line in journal]
    assert events[-1] == {"event": "not-started", "lacking": len(named)}
    assert {event["event"] for event in events[:-1]} == {"selftest-failed"}


def test_a_lab_guest_is_an_ordinary_program() -> None:
    assert lacking_here() >= ORDINARY
