# SPDX-License-Identifier: Apache-2.0
"""The JavaScript client as a process: one JSON object a line each way, and no way to skip it."""

import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).parent
EXIT_SECONDS = 10


class MissingPeerError(RuntimeError):
    """The peer is not installed. This fails a test; it never skips one."""


class Client:
    """One OHTTP client, for one exchange, in a `with` block."""

    def __init__(self) -> None:
        node = shutil.which("node")
        if node is None or not (HERE / "node_modules" / "hpke").is_dir():
            raise MissingPeerError(
                "interop: wanted node and tests/interop/node_modules: make interop"
            )
        self._process = subprocess.Popen(
            [node, "client.mjs"],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Send one object and wait for its answer."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("peer: wanted pipes")
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            _, problem = self._process.communicate(timeout=EXIT_SECONDS)
            raise RuntimeError(f"peer: ended without an answer: {problem}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate(timeout=EXIT_SECONDS)
