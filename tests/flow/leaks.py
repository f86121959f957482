# SPDX-License-Identifier: Apache-2.0
"""What a soak left behind, counted; and the same search where the canary must be found.

`examine` is the search, `controls` are what makes its zeros mean something. Both give numbers, for
a test to compare and for `bench.leaks` to write down.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from lab.memscan import Hit, Search, Survey, look_into
from sealroom import Tone
from tests.flow import processes
from tests.flow.canaries import FOLDERS, changed_files, stopped
from tests.flow.programs.stub import LINGER
from tests.flow.site import Site, together
from tests.flow.soak import Soak
from tests.lab.keeper import keeping

SURROUNDINGS = b"\0\7\0"

Counts = dict[str, Any]


def searched(survey: Survey) -> Counts:
    """A survey as numbers; what could not be read is an error here, with its name."""
    hits = survey.whole()
    return {
        "bytes": survey.searched_bytes,
        "hits": len(hits),
        "forms": sorted({hit.form for hit in hits}),
    }


def people(site: Site) -> dict[str, int]:
    """The processes that outlive a request, by name."""
    guest = {str(name): pid for name, pid in processes.guest_processes(site.init).items()}
    outside = {name: site.lab.pid(name) for name in ("ingress", "relay")}
    return {"init": site.init, **guest, **outside}


def examine(soak: Soak) -> dict[str, dict[str, Counts]]:
    """Every process, every sink and the disk, for both canaries."""
    soak.site.is_idle()
    report: dict[str, dict[str, Counts]] = {}
    for kind, canaries in (("sealed", soak.sealed), ("clear", soak.clear)):
        found: dict[str, Counts] = {}
        for name, pid in people(soak.site).items():
            survey = Survey()
            look_into(canaries.search, pid, survey)
            found[f"process {name}"] = searched(survey)
        for name, pieces in soak.sinks().items():
            survey = Survey()
            for piece in pieces:
                canaries.search.pieces(name, [piece], survey)
            found[name] = searched(survey)
        found["disk"] = searched(on_disk(canaries.plain, soak.site, canaries.since))
        report[kind] = found
    return report


def on_disk(search: Search, site: Site, since: float) -> Survey:
    """The deployment's folder, and what changed in ours since then."""
    survey = Survey()
    search.folder(site.folder, survey)
    for path in changed_files(since):
        if path.exists():
            search.file(path, survey)
    return survey


def controls(soak: Soak) -> dict[str, Counts]:
    """The same searches where something must be found: what was planted, and what of it was."""
    search = soak.sealed.search
    planted = {needle.form for needle in search.needles}
    data = SURROUNDINGS.join(needle.data for needle in search.needles)
    with keeping(data) as pid:
        kept = _forms(search.process(pid))
    return {
        "every form, in a living process": {"planted": len(planted), "found": len(planted & kept)},
        "every sink, with a line too many": _in_sinks(soak),
        "a file in each folder": _on_disk(soak),
        "the client": _in_client(soak),
        "a worker in mid-request": _in_worker(soak),
    }


def _forms(hits: Iterable[Hit]) -> set[str]:
    return {hit.form for hit in hits}


def _in_sinks(soak: Soak) -> Counts:
    sinks = soak.sinks()
    line = f"a line with {soak.sealed.stem}7 in it\n".encode()
    found = [
        name for name, all_of in sinks.items() if soak.sealed.search.pieces(name, [*all_of, line])
    ]
    return {"planted": len(sinks), "found": len(found)}


def _on_disk(soak: Soak) -> Counts:
    folders = (*FOLDERS, soak.site.folder)
    files = [folder / f"sealroom-control-{secrets.token_hex(4)}" for folder in folders]
    try:
        for file in files:
            file.write_text(f"a line with {soak.sealed.stem}7 in it\n")
        hits = on_disk(soak.sealed.plain, soak.site, soak.sealed.since).hits
    finally:
        for file in files:
            file.unlink(missing_ok=True)
    found = {hit.where for hit in hits}
    return {"planted": len(files), "found": sum(str(file) in found for file in files)}


def _in_client(soak: Soak) -> Counts:
    """A device that has its answer and has not ended."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.flow.programs.device"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as device:
        assert device.stdin is not None
        assert device.stdout is not None
        device.stdin.write(f"{soak.site.lab.trust}\n{soak.sealed.text()}\n")
        device.stdin.flush()
        answered = device.stdout.readline()
        forms = _forms(soak.sealed.plain.process(device.pid)) if answered else set()
        device.stdin.close()
    return {"planted": 1, "found": int("utf-8" in forms), "forms": sorted(forms)}


def _in_worker(soak: Soak) -> Counts:
    """A worker caught with the request in its memory, held still while it is searched."""
    text = " ".join([LINGER, *(soak.sealed.text() for _ in range(20))])
    forms: set[str] = set()

    def look() -> bool:
        for worker in processes.workers(soak.site.init):
            survey = Survey()
            with suppress(ProcessLookupError), stopped(worker):  # it may end before it is held
                look_into(soak.sealed.plain, worker, survey)
            forms.update(_forms(survey.hits))
        return "utf-8" in forms

    soak.site.is_idle()
    with together(1) as pool:
        asked = pool.submit(soak.room.rewrite, text, Tone.FRIENDLY)
        processes.until("the canary in a worker", lambda: look() or asked.done())
        asked.result()
    soak.site.is_idle()
    return {"planted": 1, "found": int("utf-8" in forms), "forms": sorted(forms)}


TOLD = ("process gate", "process ingress", "process relay")
"""Whom the soak tells a canary in the clear: it may still lie where their libraries received it."""


def found_where_it_must_not_be(report: dict[str, dict[str, Counts]]) -> list[str]:
    """The places, less those that were told."""
    expected = {("clear", name) for name in TOLD}
    return [
        f"{kind}: {name}: {counts['forms']}"
        for kind, places in report.items()
        for name, counts in places.items()
        if counts["hits"] and (kind, name) not in expected
    ]
