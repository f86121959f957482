# SPDX-License-Identifier: Apache-2.0
"""A kernel's command line as text, and the ways in which two of them differ by accident."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from attest.errors import FormatError

CMDLINE_MAX_BYTES = 4096  # the final NUL included


def check_cmdline(cmdline: str) -> None:
    """Check that a kernel can be given this command line.

    Raises:
        FormatError: too long, with a NUL in it, or not Unicode.
    """
    try:
        data = cmdline.encode("utf-8")
    except UnicodeEncodeError as error:
        raise FormatError("command line", error.start, "not Unicode") from error
    if len(data) >= CMDLINE_MAX_BYTES or b"\0" in data:
        raise FormatError("command line", None, f"wanted under {CMDLINE_MAX_BYTES} bytes, no NUL")


@dataclass(frozen=True, slots=True)
class Cmdline:
    """The scalar: a command line in a record; it may be empty."""

    native: ClassVar[type] = str

    def read(self, text: str) -> str:
        """The text itself."""
        return text

    def write(self, value: str) -> str:
        """The text itself."""
        return value


def quoted(cmdline: str) -> str:
    """The command line in quotation marks, with what is invisible in it escaped."""
    return json.dumps(cmdline)


def near(cmdline: str) -> tuple[str, ...]:
    """What a command line may have become on its way; never the same text, and none too long.

    A file's last line ends in a newline, a shell takes spaces away, a boot loader adds the initrd.
    """
    texts = (
        f"{cmdline}\n",
        f"{cmdline} ",
        cmdline.strip(),
        " ".join(cmdline.split()),
        cmdline.replace('"', ""),
        f"initrd=initrd {cmdline}",
        f"{cmdline} initrd=initrd",
        "",
    )
    short = (text for text in texts if len(text.encode("utf-8")) < CMDLINE_MAX_BYTES)
    return tuple(text for text in dict.fromkeys(short) if text != cmdline)
