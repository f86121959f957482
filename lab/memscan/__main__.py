# SPDX-License-Identifier: Apache-2.0
"""``python -m lab.memscan``: search processes, files and memory images for canaries.

Canaries come from files, one a line, so that they do not stand in the arguments of this process; in
the report a canary is the number of its line. An image is read once, a mebibyte at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from guest.worker.engine import EngineError
from lab.memscan.forms import FORM_MIN_BYTES, Needle, needles
from lab.memscan.hashes import digest_needles
from lab.memscan.processes import look_into
from lab.memscan.search import Search
from lab.memscan.stream import Survey, Unread
from lab.memscan.tokens import kv_needles, token_ids

NOTHING: Final = 0
FOUND: Final = 1
NOT_SEARCHED: Final = 2
CANARY_FILE_MAX_BYTES: Final = 1 << 20

EXIT_CODES: Final = """\
exit codes:
  0  everything was searched and nothing was found
  1  a canary was found
  2  wrong usage, or something could not be read and nothing was found in the rest
"""


def main(arguments: list[str] | None = None) -> int:
    """Search, report, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.memscan",
        description=__doc__,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--canary-file", type=Path, action="append", required=True, help="one canary a line")
    add("--pid", type=int, nargs="+", default=[], help="processes")
    add("--file", type=Path, nargs="+", default=[], help="files and raw memory images")
    add("--folder", type=Path, nargs="+", default=[], help="all files below, and their names")
    add("--model", type=Path, help="a GGUF file: search for what it makes of a canary too")
    add("--hold", action="store_true", help="stop each process while it is searched (SIGSTOP)")
    add("--json", action="store_true", help="the report as one JSON object")
    given = parser.parse_args(arguments)
    if not (given.pid or given.file or given.folder):
        parser.error("wanted at least one of --pid, --file and --folder, got none")
    try:
        search = Search(_wanted(given.canary_file, given.model))
    except (OSError, ValueError, EngineError) as error:
        parser.error(str(error))
    survey = _survey(search, given)
    _report(search, survey, as_json=given.json)
    if survey.hits:
        return FOUND
    return NOT_SEARCHED if survey.unread else NOTHING


def _wanted(files: list[Path], model: Path | None) -> Iterator[Needle]:
    """The needles of every line of every file.

    Raises:
        ValueError: a canary is too short to mean anything when it is found, or not UTF-8.
    """
    number = 0
    for path in files:
        with path.open("rb") as file:
            data = file.read(CANARY_FILE_MAX_BYTES + 1)
        if len(data) > CANARY_FILE_MAX_BYTES:
            raise ValueError(f"canaries: wanted at most {CANARY_FILE_MAX_BYTES} bytes, got more")
        for line in data.decode("utf-8").splitlines():
            number += 1
            if len(line.encode()) < FORM_MIN_BYTES:
                raise ValueError(f"canary {number}: wanted at least {FORM_MIN_BYTES} bytes")
            ids = [] if model is None else token_ids(model, f" {line}")
            yield from needles(line, ids, label=str(number))
            if model is not None:
                yield from kv_needles(str(number), model, f" {line}")
            yield from digest_needles(str(number), line.encode())


def _survey(search: Search, given: argparse.Namespace) -> Survey:
    survey = Survey()
    for pid in given.pid:
        try:
            with _held(pid) if given.hold else _free():
                look_into(search, pid, survey)
        except OSError as error:
            survey.unread.append(Unread(f"process {pid}", error.strerror or str(error)))
    for look, paths in ((search.file, given.file), (search.folder, given.folder)):
        for path in paths:
            try:
                look(path, survey)
            except OSError as error:
                survey.unread.append(Unread(str(path), error.strerror or str(error)))
            if look == search.folder and not path.is_dir():
                survey.unread.append(Unread(str(path), "not a folder"))
    return survey


@contextmanager
def _held(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def _free() -> Iterator[None]:
    yield


def _report(search: Search, survey: Survey, *, as_json: bool) -> None:
    forms = sorted({needle.form for needle in search.needles})
    if as_json:
        report = {
            "needles": len(search.needles),
            "forms": forms,
            "places": survey.places,
            "bytes": survey.searched_bytes,
            "hits": [asdict(hit) for hit in survey.hits],
            "unread": [asdict(unread) for unread in survey.unread],
        }
        print(json.dumps(report, indent=1))
        return
    for hit in survey.hits:
        print(f"found     canary {hit.canary} as {hit.form} in {hit.where} at {hit.at:#x}")
    for unread in survey.unread:
        print(f"not read  {unread.where}: {unread.why}")
    print(
        f"{len(survey.hits)} hits, {len(survey.unread)} not read; "
        f"{survey.searched_bytes} bytes in {survey.places} places, {len(forms)} forms"
    )


if __name__ == "__main__":
    sys.exit(main())
