# SPDX-License-Identifier: Apache-2.0
"""The folder of a machine, and the end of whoever made it."""

import subprocess
import sys
from pathlib import Path

from lab.vm.folder import folder
from tests.flow.processes import until

MAKER = """
import time
from lab.vm.folder import folder
with folder() as place:
    (place / "file").write_bytes(b"in it")
    print(place, flush=True)
    time.sleep(3600)
"""


def test_the_folder_is_there_until_the_block_is_left() -> None:
    with folder() as place:
        (place / "file").write_bytes(b"in it")
        assert place.is_dir()
    assert not place.exists()


def test_the_folder_goes_when_its_maker_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", MAKER], stdout=subprocess.PIPE) as maker:
        assert maker.stdout is not None
        place = Path(maker.stdout.readline().decode().strip())
        assert place.is_dir()
        maker.kill()
    until("its end", lambda: not place.exists())
