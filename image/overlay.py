# SPDX-License-Identifier: Apache-2.0
"""The three variants: what the image says of itself, its command line, and what is laid over it.

The rule that holds here: the research and test images are the production image's exact bytes and
one more archive behind them, which the kernel unpacks over the first. So whatever was reviewed of
the one is in the others, and none of the others can pass for it: the file in which an image says
what it is differs, the command line may, and the launch measurement does.
"""

import re
import tomllib
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final

import rfc8785

from image import cpio
from image.cpio import Entry, write_cpio
from image.errors import ImageError
from image.layout import PUBLISHED, Tree, in_image

HERE: Final = Path(__file__).resolve().parent
TEMPLATES: Final = HERE / "cmdline"
PROJECT: Final = HERE.parent / "pyproject.toml"
FORMAT: Final = "sealroom-published/1"
CMDLINE_MAX_BYTES: Final = 2047  # COMMAND_LINE_SIZE of x86, with the NUL
PREFIX: Final = "initrd=initrd "  # what OVMF's loader puts before it


class OverlayError(ImageError):
    """A command line or an overlay is not what a variant may have."""


class Variant(StrEnum):
    """The three images. `guest.boot.published` has the other side."""

    PRODUCTION = "production"
    RESEARCH = "research"
    TEST = "test"


PRODUCTS: Final = {
    Variant.PRODUCTION: "Sealroom {}",
    Variant.RESEARCH: "Sealroom {} RESEARCH",
    Variant.TEST: "Sealroom {} TEST",
}


def version(project: Path = PROJECT) -> str:
    """Return the version that pyproject.toml gives."""
    with project.open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def command_line(template: str, *, sha256: str, size: int) -> str:
    """Return the kernel's command line: the template's words, a space between two, and the model.

    Raises:
        OverlayError: it is too long, or has a character or key that the guest would refuse.
    """
    text = " ".join(template.split()).format(model_sha256=sha256, model_size=size)
    if not re.fullmatch(r"[!-~]+(?: [!-~]+)*", text):
        raise OverlayError(f"command line: wanted printable ASCII, got {text!r}")
    if len(PREFIX + text) > CMDLINE_MAX_BYTES:
        raise OverlayError(
            f"command line: wanted {CMDLINE_MAX_BYTES} bytes at most, got {len(text)}"
        )
    keys = [word.partition("=")[0] for word in text.split(" ")]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise OverlayError(f"command line: wanted each key once, got {twice} twice")
    return text


def variant_command_line(
    variant: Variant, sha256: str, size: int, kernel: str | None = None
) -> str:
    """Return a variant's command line for a model, with a kernel's own words before it."""
    names = [variant] if kernel is None else [kernel, variant]
    texts = [(TEMPLATES / f"{name}.txt").read_text(encoding="ascii") for name in names]
    return command_line("\n".join(texts), sha256=sha256, size=size)


def published_json(variant: Variant, cmdline: str) -> bytes:
    """Return what an image says of itself, in RFC 8785's form."""
    product = PRODUCTS[Variant(variant)].format(version())
    return rfc8785.dumps(
        {"cmdline": cmdline, "format": FORMAT, "product": product, "variant": str(variant)}
    )


def overlay(files: Iterable[Entry]) -> bytes:
    """Return the archive that is laid over an image: these entries and the folders above them."""
    return write_cpio(Tree(files).whole())


def variant_overlay(variant: Variant, cmdline: str, more: Iterable[Entry] = ()) -> bytes:
    """Return the archive that makes the production image say what another one says."""
    return overlay([in_image(PUBLISHED, published_json(variant, cmdline)), *more])


def laid_over(initrd: bytes, archive: bytes) -> bytes:
    """Return an image with an overlay behind it; the kernel wants it to begin at four bytes."""
    return initrd + bytes(-len(initrd) % cpio.ALIGN) + archive
