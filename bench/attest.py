# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.attest``: how long verifying real evidence takes, beside others that do it.

Everybody is called in turn, round by round, in one process on one thread, with Python's cycle
collector off, so that a noisy neighbour hits all alike. What is counted is the thread's own time on
the processor; the time on the wall, which a loaded machine stretches, is kept too.

* cold: evidence that this process has never seen. Before each call everything is forgotten that
  `attest` remembers of evidence (`attest.remembered`): parsed certificates, lists, chains and
  collateral, keys, and signatures that held. Modules, roots and policy are loaded, as for the
  others; so are the dotted names of the object identifiers seen before.
* warm: the same certificates and collateral as in the call before. The report's or quote's own
  signature is checked each time, and every rule, and every window against the clock.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from attest import amd_roots
from attest.remembered import forget
from attest.roots import intel_roots
from attest.snp.verify import verify_report
from attest.tdx.verify import verify_quote
from bench.attest_evidence import SnpMaterial, TdxMaterial, snp_material, tdx_material
from bench.attest_peers import LEFT_OUT, Call, Peer, snp_peers, tdx_peers

RESULTS: Final = Path(__file__).parent / "results" / "attest.json"
IMPORT: Final = "import time; t = time.process_time(); import {}; print(time.process_time() - t)"
IMPORTS: Final = ("attest", "cryptography.hazmat.primitives.asymmetric.ec", "dataclasses, re, json")
OURS: Final = "sealroom attest"


@dataclass
class Candidate:
    """One row: a call, what comes before it untimed, and what it took, in milliseconds."""

    group: str
    name: str
    lacks: str
    call: Call
    before: Call
    cpu_ms: list[float] = field(default_factory=list)
    wall_ms: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Once."""
        self.before()
        wall, cpu = time.perf_counter(), time.thread_time()
        self.call()
        self.cpu_ms.append((time.thread_time() - cpu) * 1000)
        self.wall_ms.append((time.perf_counter() - wall) * 1000)

    @property
    def result(self) -> dict[str, Any]:
        """Least, tenth and median."""
        cpu, wall = sorted(self.cpu_ms), sorted(self.wall_ms)
        return {
            "group": self.group,
            "name": self.name,
            "lacks": self.lacks,
            "cpu_ms": {
                "least": round(cpu[0], 4),
                "p10": round(cpu[len(cpu) // 10], 4),
                "median": round(statistics.median(cpu), 4),
            },
            "wall_ms": {"least": round(wall[0], 4), "median": round(statistics.median(wall), 4)},
            "times": len(cpu),
        }


def nothing() -> None:
    """Before the others, which remember nothing; or warm."""


def candidates(snp: SnpMaterial, tdx: TdxMaterial) -> list[Candidate]:
    """Every row, group by group."""
    amd, intel = amd_roots().amd, intel_roots().intel

    def report() -> object:
        return verify_report(snp.report, snp.endorsements, snp.policy, roots=amd, now=snp.now)

    def with_crl() -> object:
        return verify_report(snp.report, snp.with_crl, snp.strict_policy, roots=amd, now=snp.now)

    def quote() -> object:
        return verify_quote(tdx.quote, tdx.collateral, tdx.policy, roots=intel, now=tdx.now)

    return [
        _row("floor", Peer("one ECDSA P-384 verification", "", _ecdsa(ec.SECP384R1()))),
        _row("floor", Peer("one ECDSA P-256 verification", "", _ecdsa(ec.SECP256R1()))),
        _row("SNP", Peer(f"{OURS}, cold", "", report), forget),
        _row("SNP", Peer(f"{OURS}, warm", "", report), report),
        _row("SNP", Peer(f"{OURS}, cold, with CRL", "", with_crl), forget),
        _row("SNP", Peer(f"{OURS}, warm, with CRL", "", with_crl), with_crl),
        *(_row("SNP", peer) for peer in snp_peers(snp)),
        _row("TDX", Peer(f"{OURS}, cold", "", quote), forget),
        _row("TDX", Peer(f"{OURS}, warm", "", quote), quote),
        *(_row("TDX", peer) for peer in tdx_peers(tdx)),
    ]


def _row(group: str, peer: Peer, before: Call = nothing) -> Candidate:
    return Candidate(group, peer.name, peer.lacks, peer.call, before)


def _ecdsa(curve: ec.EllipticCurve) -> Call:
    """One verification with a key that is ready: no verifier of fresh evidence can be faster."""
    algorithm = ec.ECDSA(SHA384() if curve.key_size == 384 else SHA256())
    key, data = ec.generate_private_key(curve), bytes(672)
    signature, public = key.sign(data, algorithm), key.public_key()
    return lambda: public.verify(signature, data, algorithm)


def imports(times: int) -> dict[str, Any]:
    """Processor time of imports in fresh interpreters, milliseconds."""
    taken: dict[str, list[float]] = {name: [] for name in IMPORTS}
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(times):
        for name, samples in taken.items():
            command = [sys.executable, "-c", IMPORT.format(name)]
            done = subprocess.run(command, env=environment, capture_output=True, check=True)
            samples.append(float(done.stdout) * 1000)
    return {
        name: {"least": round(min(s), 1), "median": round(statistics.median(s), 1)}
        for name, s in taken.items()
    }


def measure(rounds: int, import_times: int) -> dict[str, Any]:
    """All rows, each called ``rounds`` times."""
    snp, tdx = snp_material(), tdx_material()
    rows = candidates(snp, tdx)
    for row in rows:
        row.call()  # imports and finds out whether it verifies at all; not counted
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        for row in rows:
            row.run()
    gc.enable()
    return {
        "evidence": {"SNP": snp.name, "TDX": tdx.name},
        "rounds": rounds,
        "rows": [row.result for row in rows],
        "import_ms": imports(import_times),
        "left_out": LEFT_OUT,
    }


def table(result: dict[str, Any]) -> str:
    """The rows for people, with the ratio of each to ours, cold."""
    lines = []
    for group in ("floor", "SNP", "TDX"):
        rows = [row for row in result["rows"] if row["group"] == group]
        cold = rows[0]["cpu_ms"]["median"]
        lines.append(f"\n{group:42} {'least':>8} {'median':>8}   ratio  does not check")
        for row in rows:
            cpu = row["cpu_ms"]
            ratio = "" if group == "floor" else f"{cpu['median'] / cold:.2f}"
            numbers = f"{cpu['least']:8.3f} {cpu['median']:8.3f}   {ratio:>5}"
            lines.append(f"  {row['name']:40} {numbers}  {row['lacks']}")
    lines.append(f"\n{'import, in a fresh interpreter':42} {'least':>8} {'median':>8}")
    lines += [
        f"  {name:40} {ms['least']:8.1f} {ms['median']:8.1f}"
        for name, ms in result["import_ms"].items()
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure, print a table, keep the raw numbers."""
    parser = argparse.ArgumentParser(prog="python -m bench.attest", description=__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="calls of each (default 300)")
    parser.add_argument("--imports", type=int, default=20, help="imports (default 20)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # peers parse serial number 0 with a parser that warns
    load = os.getloadavg()[0]
    result = {
        "command": "python -m bench.attest " + " ".join(sys.argv[1:]),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "load": load,
            "python": platform.python_version(),
            "cryptography": version("cryptography"),
        },
        **measure(given.rounds, given.imports),
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print("milliseconds of processor time; cold and warm as in bench/attest.py")
    print(table(result))
    print("\nleft out:", "; ".join(f"{name} ({why})" for name, why in LEFT_OUT.items()))
    print(f"raw numbers: {given.out}; load {load:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
