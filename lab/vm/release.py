# SPDX-License-Identifier: Apache-2.0
"""A built image as it lies in its folder, and the copies of it with more in them.

`make image` makes the folder; for each variant it has kernel, initrd and command line. What a test
wants changed comes as a cpio archive behind the initrd, which the kernel unpacks over it, so the
published bytes stay as they are. Such a copy measures otherwise, and PID 1 refuses a command line
that is not the published one, so another command line brings its own `published.json`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from image import cpio, layout, overlay
from lab.vm.errors import VmError
from lab.vm.tools import CHECKOUT

RELEASE: Final = CHECKOUT / "build" / "image" / "release"
MODEL: Final = RELEASE / "model.gguf"
_MODEL_WORD: Final = re.compile(r"sealroom\.model=sha256:[0-9a-f]{64}:[0-9]+")


@dataclass(frozen=True, slots=True)
class Image:
    """One variant: what a machine is started with."""

    variant: overlay.Variant
    kernel: Path
    initrd: Path
    cmdline: str

    def with_overlay(self, entries: Iterable[cpio.Entry], into: Path) -> Image:
        """A copy with these entries over it; its initrd is written to ``into``."""
        archive = overlay.overlay(entries)
        into.write_bytes(overlay.laid_over(self.initrd.read_bytes(), archive))
        return replace(self, initrd=into)

    def with_cmdline(self, cmdline: str, into: Path) -> Image:
        """A copy that publishes another command line, and is started with it."""
        said = overlay.published_json(self.variant, cmdline)
        copy = self.with_overlay([cpio.file(layout.PUBLISHED, said)], into)
        return replace(copy, cmdline=cmdline)

    def cmdline_for(self, digest: bytes, size: int) -> str:
        """The command line for another model."""
        return _MODEL_WORD.sub(f"sealroom.model=sha256:{digest.hex()}:{size}", self.cmdline)


def load_image(variant: str, folder: Path = RELEASE) -> Image:
    """A variant of a built image.

    Raises:
        VmError: it has not been built.
    """
    place = folder / variant
    paths = [place / name for name in ("vmlinuz", "initrd", "cmdline")]
    for path in paths:
        if not path.is_file():
            raise VmError("image", f"{variant}/{path.name} of `make image`", "no such file")
    return Image(overlay.Variant(variant), paths[0], paths[1], paths[2].read_text("ascii"))
