# SPDX-License-Identifier: Apache-2.0
"""Which model an image is made for: the digest and size that its command line names.

The model is not in the image. It is on a disk of its own, and the guest takes it for what the
measured command line says. The default is locked here, so that the image can be built, and its
measurements computed, without having the model at hand.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from image.errors import ImageError

LOCK: Final = Path(__file__).resolve().parent / "locks" / "model.json"
FOLDER: Final = Path("build/model")
MODEL_MAX_BYTES: Final = 8 * 1024**3  # as guest.worker.modelfile has it
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class ModelError(ImageError):
    """The model is not there, or not the locked one."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model's file name, digest and size in bytes, and where it is, if it is here."""

    name: str
    sha256: str
    size: int
    path: Path | None = None


def parse_model(text: str) -> Model:
    """Return the model of a lock.

    Raises:
        ModelError: it is not a JSON object of name, sha256 and size in the form that we write.
    """
    try:
        row = json.loads(text)
        name, sha256, size = (row[key] for key in ("name", "sha256", "size"))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(f"lock: wanted name, sha256 and size, got {error}") from error
    if text != json.dumps({"name": name, "sha256": sha256, "size": size}, indent=1) + "\n":
        raise ModelError(f"lock: wanted it as we write it, got {text!r}")
    if not _NAME.fullmatch(str(name)) or not _SHA256.fullmatch(str(sha256)):
        raise ModelError(f"lock: wanted a name and a digest, got {name!r} and {sha256!r}")
    if type(size) is not int or not 0 < size <= MODEL_MAX_BYTES:
        raise ModelError(f"lock: wanted a size up to {MODEL_MAX_BYTES}, got {size!r}")
    return Model(name, sha256, size)


def load_model(path: Path | None = None, *, lock: Path = LOCK, folder: Path = FOLDER) -> Model:
    """Return the model at `path`, or the locked one, with its path if it is in `folder`.

    Raises:
        ModelError: there is no file at `path`, or the one in `folder` is not the locked one.
    """
    if path is not None:
        return _read(path)
    model = parse_model(lock.read_text(encoding="ascii"))
    place = folder / model.name
    if not place.is_file():
        return model
    found = _read(place)
    if (found.sha256, found.size) != (model.sha256, model.size):
        raise ModelError(f"{place}: wanted sha256 {model.sha256}, got {found.sha256}")
    return found


def _read(path: Path) -> Model:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: wanted a model, got {error}") from error
    if not 0 < size <= MODEL_MAX_BYTES:
        raise ModelError(f"{path}: wanted up to {MODEL_MAX_BYTES} bytes, got {size}")
    return Model(path.name, sha256, size, path)
