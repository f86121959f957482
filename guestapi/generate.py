# SPDX-License-Identifier: Apache-2.0
"""Generating the stubs from guest.proto: `python -m guestapi.generate`.

This file owns the one command line that makes guest_pb2.py, guest_pb2.pyi and guest_grpc.py.
They are committed, so that neither the image nor a user needs a compiler; a test runs this again
and compares byte for byte. Needs grpcio-tools (development only).
"""

from __future__ import annotations

import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Final

ROOM: Final = Path(__file__).parent
GENERATED: Final = ("guest_pb2.py", "guest_pb2.pyi", "guest_grpc.py")
LICENCE: Final = "# SPDX-License-Identifier: Apache-2.0\n"
# protoc writes a bare Mapping in the signatures of messages with message fields.
STUB_PRAGMA: Final = '# mypy: disable-error-code="type-arg"\n'


class GenerateError(Exception):
    """The compiler did not accept guest.proto."""


def generate() -> dict[str, str]:
    """The text of every generated file, by name.

    Raises:
        GenerateError: protoc failed; it has written why to standard error.
    """
    from grpc_tools import protoc  # type: ignore[import-untyped]  # noqa: PLC0415 (no stubs; development only)

    includes = resources.files("grpc_tools") / "_proto"
    with tempfile.TemporaryDirectory() as scratch:
        # The path below the import root becomes the module path in the generated imports.
        arguments = ["protoc", f"--proto_path={ROOM.parent}", f"--proto_path={includes}"]
        arguments += [
            f"--{out}={scratch}" for out in ("python_out", "pyi_out", "grpclib_python_out")
        ]
        arguments += [f"--plugin=protoc-gen-grpclib_python={_plugin()}"]
        code = protoc.main([*arguments, str(ROOM / "guest.proto")])
        if code != 0:
            raise GenerateError(f"protoc: wanted exit code 0, got {code}")
        made = Path(scratch) / ROOM.name
        return {name: _head(name) + (made / name).read_text(encoding="utf-8") for name in GENERATED}


def _head(name: str) -> str:
    return LICENCE + (STUB_PRAGMA if name.endswith(".pyi") else "")


def _plugin() -> Path:
    """The grpclib plugin installed beside this interpreter."""
    return Path(sys.executable).parent / "protoc-gen-grpclib_python"


def main() -> int:
    """Write the generated files into this room."""
    for name, text in generate().items():
        (ROOM / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
