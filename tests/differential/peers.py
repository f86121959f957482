# SPDX-License-Identifier: Apache-2.0
"""The peers: how each is built, and how each is asked.

All are built from pinned versions by the ordinary clients of Go and Rust, in a folder that is not
in the repository. Building needs the network once; asking never does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.differential.items import Item, SnpItem, TdxItem
from tests.differential.ours import Verdict

HERE = Path(__file__).parent
SNPGUEST = "0.11.0"
BUILD_SECONDS, ASK_SECONDS, SNPGUEST_SECONDS = 3600, 600, 10
TEXT_MAX_CHARACTERS = 300


class Peer(StrEnum):
    """A library or program of others."""

    GO_SEV_GUEST = "go-sev-guest"
    GO_TDX_GUEST = "go-tdx-guest"
    SEV = "sev"
    SNPGUEST = "snpguest"
    DCAP_QVL = "dcap-qvl"


class MissingToolError(RuntimeError):
    """What builds a peer is not on PATH."""


@dataclass(frozen=True)
class Facts:
    """What a peer is: version, language, and how it was asked."""

    version: str
    tool: str
    takes: type[SnpItem] | type[TdxItem]
    how: str


PEERS: dict[Peer, Facts] = {
    Peer.GO_SEV_GUEST: Facts(
        "v0.15.0",
        "go",
        SnpItem,
        "`verify.SnpAttestation`, then `validate.SnpAttestation` with SMT and CXL allowed and "
        "provisional firmware permitted; revocation is checked where the item has a CRL",
    ),
    Peer.SEV: Facts(
        "8.0.0",
        "cargo",
        SnpItem,
        "`(&Chain, &AttestationReport).verify()` under the ARK and the ASK or ASVK that we believe",
    ),
    Peer.SNPGUEST: Facts(
        SNPGUEST,
        "cargo",
        SnpItem,
        "`snpguest verify certs`, then `snpguest verify attestation`, in a folder with the same "
        "three certificates; the processor's model is given where the report has none",
    ),
    Peer.GO_TDX_GUEST: Facts(
        "v0.3.2-0.20260305110651-91f9a52f36c7",
        "go",
        TdxItem,
        "`verify.TdxQuote` with collateral and revocation, and for version 4 `validate.TdxQuote` "
        "without debugging; it accepts nothing but UpToDate, so that is what ours counts as too",
    ),
    Peer.DCAP_QVL: Facts(
        "0.7.1",
        "cargo",
        TdxItem,
        "`QuoteVerifier::verify` with service TDs allowed; ratings are compared, not only verdicts",
    ),
}


def peers_of(item: Item) -> tuple[Peer, ...]:
    """Who can be asked about an item."""
    return tuple(peer for peer, facts in PEERS.items() if isinstance(item, facts.takes))


def missing_tools(peers: Sequence[Peer]) -> list[str]:
    """The compilers that are not there, of those that these peers need."""
    tools = sorted({PEERS[peer].tool for peer in peers})
    return [tool for tool in tools if shutil.which(tool) is None]


def ask(peer: Peer, items: Sequence[Item], cache: Path) -> list[Verdict]:
    """The peer's verdict on each item.

    Raises:
        MissingToolError: its compiler is not on PATH.
        subprocess.SubprocessError: it could not be built, or stopped before its last answer.
    """
    if missing := missing_tools([peer]):
        raise MissingToolError(f"{peer}: wanted {missing[0]} on PATH")
    if peer is Peer.SNPGUEST:
        program = _snpguest(cache)
        return [_ask_snpguest(program, item) for item in items if isinstance(item, SnpItem)]
    build = _go if PEERS[peer].tool == "go" else _rust
    return _ask_lines(build, items, cache)


def _ask_lines(build: Callable[[Path], Path], items: Sequence[Item], cache: Path) -> list[Verdict]:
    questions = [item.question | {"id": number} for number, item in enumerate(items)]
    done = subprocess.run(
        [build(cache)],
        input="".join(json.dumps(question) + "\n" for question in questions),
        capture_output=True,
        text=True,
        check=True,
        timeout=ASK_SECONDS,
    )
    # go-tdx-guest logs to standard output; an answer is what begins as an object.
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    answers = [json.loads(line) for line in lines]
    if [answer["id"] for answer in answers] != list(range(len(items))):
        raise subprocess.SubprocessError(f"wanted {len(items)} answers, got {len(answers)}")
    return [
        Verdict(a["accepted"], a["status"], text=a["error"][:TEXT_MAX_CHARACTERS]) for a in answers
    ]


def _go(cache: Path) -> Path:
    program = cache / "go-peers"
    _run(["go", "build", "-trimpath", "-o", program, "."], HERE / "go")
    return program


def _rust(cache: Path) -> Path:
    """Built from a copy, so that the lock file that cargo writes does not end up among ours."""
    source = cache / "rust"
    shutil.copytree(HERE / "rust", source, dirs_exist_ok=True)
    _run(["cargo", "build", "--release", "--quiet", "--target-dir", cache / "target"], source)
    return cache / "target" / "release" / "differential"


def _snpguest(cache: Path) -> Path:
    root = cache / "snpguest"
    program = root / "bin" / "snpguest"
    if program.exists():  # Its version is pinned, and cargo would ask the network again.
        return program
    install = ["cargo", "install", "snpguest", "--version", f"={SNPGUEST}", "--locked", "--quiet"]
    _run([*install, "--root", root, "--target-dir", cache / "target-snpguest"], cache)
    return program


def _run(command: Sequence[str | Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(command, cwd=folder, check=True, timeout=BUILD_SECONDS)


def _ask_snpguest(program: Path, item: SnpItem) -> Verdict:
    """It reads files, and names decide: a VLEK's name makes it look for an ASVK."""
    names = ("vlek", "asvk") if item.is_vlek else ("vcek", "ask")
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "report.bin").write_bytes(item.report)
        (folder / f"{names[0]}.der").write_bytes(item.vek)
        for role, der in zip(("ark", names[1]), item.issuers, strict=True):
            (folder / f"{role}.der").write_bytes(der)
        attestation: list[str | Path] = ["attestation", folder, folder / "report.bin"]
        if item.version == 2:
            attestation += ["--processor-model", item.line.lower()]
        certificates: list[str | Path] = ["certs", folder]
        for arguments in (certificates, attestation):
            done = subprocess.run(
                [program, "verify", *arguments],
                capture_output=True,
                text=True,
                check=False,
                timeout=SNPGUEST_SECONDS,
                env=os.environ | {"RUST_BACKTRACE": "0"},
            )
            if done.returncode:
                text = " ".join((done.stderr + done.stdout).replace(name, "").split())
                return Verdict(False, text=text[:TEXT_MAX_CHARACTERS])
    return Verdict(True)
