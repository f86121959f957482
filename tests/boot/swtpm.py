# SPDX-License-Identifier: Apache-2.0
"""A software TPM that tells what it was asked: every extension of a register, in order.

swtpm writes each command that reaches the TPM into its log, so what a guest's firmware and the
kernel's EFI stub measured is known without any help of the guest, which may have no driver for a
TPM. Specification: TCG TPM 2.0 Library, part 3, TPM2_PCR_Extend.
"""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.vm.tools import Tools

SOCKET_MAX_S = 30.0
PCR_EXTEND = 0x182
SHA384 = 0x000C
DIGEST_BYTES = {0x0004: 20, 0x000B: 32, SHA384: 48, 0x000D: 64}

# The only things in the log that are indented hexadecimal and begin with a command's name.
_COMMAND = re.compile(r"^ SWTPM_IO_Read: length (\d+)\n((?: (?:[0-9A-F]{2} )+\n)+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Extension:
    """A register of the SHA-384 bank was extended by a digest."""

    pcr: int
    digest: bytes


class Swtpm:
    """A TPM that runs, and its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def arguments(self) -> tuple[str, ...]:
        """What makes it the TPM of a machine."""
        return (
            *("-chardev", f"socket,id=tpm,path={self._folder / 'control'}"),
            *("-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-tis,tpmdev=tpm0"),
        )

    def extensions(self) -> list[Extension]:
        """What was extended so far; a command that is only half in the log comes next time."""
        return list(parse_log((self._folder / "log").read_text(encoding="ascii")))


@contextmanager
def run(tools: Tools) -> Iterator[Swtpm]:
    """Start a TPM that was never used; it ends with the machine, or here."""
    with tempfile.TemporaryDirectory(prefix="sealroom-tpm-") as name:
        folder = Path(name)
        state = ["--tpmstate", f"dir={folder}", "--ctrl", f"type=unixio,path={folder / 'control'}"]
        log = ["--log", f"level=20,file={folder / 'log'}", "--terminate"]
        process = subprocess.Popen(
            [*tools.command("swtpm"), "socket", "--tpm2", *state, *log],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
        )
        try:
            until = time.monotonic() + SOCKET_MAX_S
            while not (folder / "control").exists():
                assert process.poll() is None and time.monotonic() < until, "swtpm did not start"
                time.sleep(0.05)
            yield Swtpm(folder)
        finally:
            process.terminate()
            process.wait()


def parse_log(text: str) -> Iterator[Extension]:
    """The extensions of the SHA-384 bank in a log of swtpm."""
    for found in _COMMAND.finditer(text):
        command = bytes.fromhex(found[2].replace("\n", " "))
        if len(command) == int(found[1]) and command[6:10] == PCR_EXTEND.to_bytes(4):
            yield _extension(command)


def _extension(command: bytes) -> Extension:
    """Header, handle, authorisation area, then a count and so many (algorithm, digest)."""
    pcr, area = struct.unpack_from(">II", command, 10)
    (count,) = struct.unpack_from(">I", command, 18 + area)
    at = 22 + area
    banks = {}
    for _ in range(count):
        (algorithm,) = struct.unpack_from(">H", command, at)
        end = at + 2 + DIGEST_BYTES[algorithm]
        banks[algorithm] = command[at + 2 : end]
        at = end
    assert at == len(command), "a command that is longer than its digests"
    return Extension(pcr, banks[SHA384])
