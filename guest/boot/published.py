# SPDX-License-Identifier: Apache-2.0
"""What the image says of itself, in a file of the image, and the command line it must have.

The three variants differ in this file: it names the variant, the product as people see it, and
the kernel's command line. The launch measurement covers file and command line both; that they agree
shows that this image was started as it was published, and not with the words of another one.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

from attest.canonical import read_canonical
from attest.closed import Notation, read_record
from attest.cmdline import Cmdline
from attest.errors import FormatError
from attest.scalars import Text
from guest import settings
from guest.boot.reasons import BootError, Reason

FILE: Final = Path("/usr/lib/sealroom/published.json")
CMDLINE: Final = Path("/proc/cmdline")
FILE_MAX_BYTES: Final = 8192
CMDLINE_MAX_BYTES: Final = 2048  # COMMAND_LINE_SIZE of x86
PRODUCT_MAX_CHARACTERS: Final = 64

# What the kernel shows: the text itself, or with the word that OVMF's loader puts before it.
FORMS: Final = ("{}\n", "initrd=initrd {}\n")
_MODEL: Final = re.compile(r"sealroom\.model=sha256:([0-9a-f]{64}):([1-9][0-9]{0,12})")


class Variant(StrEnum):
    """The three images."""

    PRODUCTION = "production"
    RESEARCH = "research"
    TEST = "test"


# What a guest in each image states that it is.
STATED: Final = {
    Variant.PRODUCTION: settings.Variant.PRODUCTION,
    Variant.RESEARCH: settings.Variant.RESEARCH,
    Variant.TEST: settings.Variant.MOCK,
}
# The last word of the product's name, or of a version.
SUFFIXES: Final = {
    Variant.PRODUCTION: re.compile(r"[0-9.]+"),
    Variant.RESEARCH: re.compile("RESEARCH"),
    Variant.TEST: re.compile("TEST"),
}


@dataclass(frozen=True, kw_only=True)
class Published:
    """The file, field by field."""

    cmdline: Annotated[str, Cmdline()]
    product: Annotated[str, Text(PRODUCT_MAX_CHARACTERS)]
    variant: Variant
    format: Literal["sealroom-published/1"]

    def __post_init__(self) -> None:
        if not SUFFIXES[self.variant].fullmatch(self.product.split(" ")[-1]):
            raise ValueError(f"product: wanted the name of a {self.variant} image")


@dataclass(frozen=True, slots=True)
class Model:
    """The model, by what the command line says of it."""

    digest: bytes
    size: int


def parse_published(data: bytes) -> Published:
    """Read the file's bytes.

    Raises:
        BootError: not RFC 8785 JSON with exactly these fields.
    """
    try:
        value = read_canonical(data, "published", FILE_MAX_BYTES)
        return read_record(Published, value, "published", Notation.JSON)
    except FormatError as error:
        raise BootError(Reason.PUBLISHED) from error


def verify_cmdline(shown: bytes, published: str) -> None:
    """Check that the kernel has the published command line, to the byte, in one of two forms.

    Raises:
        BootError: it has another one, or one in which a key stands twice.
    """
    if shown not in [form.format(published).encode("utf-8") for form in FORMS]:
        raise BootError(Reason.CMDLINE)
    if any(times > 1 for times in Counter(map(_key, shown.split())).values()):
        raise BootError(Reason.CMDLINE)


def parse_model(published: str) -> Model:
    """What the command line says of the model.

    Raises:
        BootError: it says nothing, or not in the one form.
    """
    words = [word for word in published.split(" ") if _key(word.encode("utf-8")) == _MODEL_KEY]
    found = [match for word in words if (match := _MODEL.fullmatch(word))]
    if len(words) != 1 or len(found) != 1:
        raise BootError(Reason.CMDLINE)
    return Model(bytes.fromhex(found[0][1]), int(found[0][2]))


def read_file(path: Path, most: int) -> bytes:
    """At most a byte more than ``most``."""
    with path.open("rb", buffering=0) as file:
        return file.read(most + 1)


def _key(word: bytes) -> bytes:
    """What stands before the value; to the kernel a dash is an underscore there."""
    return word.partition(b"=")[0].replace(b"-", b"_")


_MODEL_KEY: Final = b"sealroom.model"
