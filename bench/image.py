# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.image``: how large the image is, what is in it, and how long it takes to serve.

Sizes are read from what `make image` made. Times are of boots of the test variant under qemu's
emulation, with the stand-in model (`lab.vm.standin`): from power on to every process ready, and to
the first summary that a device has verified to its end. Emulated seconds say nothing of a real
processor; they compare one build of the image with another.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from attest.statement import Platform
from image.cpio import Entry, read_cpio
from lab.deployment import DeploymentError
from lab.model import ModelError
from lab.vm.deployment import booted
from lab.vm.errors import VmError
from lab.vm.release import RELEASE
from sealroom import Trust, connect, read_chat

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results" / "image.json"
TREE: Final = RELEASE.parent / "tree" / "initrd.cpio"
CHAT: Final = HERE.parent / "examples" / "chats" / "trip_planning.txt"
BOOTS: Final = 3

PACKAGES: Final = "usr/lib/python3/dist-packages/"
OURS: Final = ("attest", "guest", "guestapi", "wire")
# The first row whose beginning a path has.
PARTS: Final[Mapping[str, str]] = {
    **{f"{PACKAGES}{name}/": "our code" for name in OURS},
    f"{PACKAGES}llama_cpp/": "llama.cpp",
    f"{PACKAGES}cryptography/": "cryptography, with its OpenSSL",
    PACKAGES: "other packages",
    "usr/bin/python": "the interpreter",
    "usr/lib/python3.13/": "the standard library",
    "usr/lib/x86_64-linux-gnu/": "system libraries",
    "": "the rest",
}


def main() -> int:
    """Measure, write the report, print the table; 1 if there is no image or it does not serve."""
    parser = argparse.ArgumentParser(prog="python -m bench.image", description=__doc__)
    parser.add_argument("--boots", type=int, default=BOOTS, help=f"default {BOOTS}; 0 for sizes")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    try:
        result = {
            "command": " ".join(["python -m bench.image", *sys.argv[1:]]),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": {"cores": os.cpu_count(), "kernel": platform.release()},
            "files": files(),
            "inside": inside(),
            "boots": [boot(number, given.boots) for number in range(given.boots)],
        }
    except (DeploymentError, ModelError, VmError, OSError) as error:
        print(f"bench.image: {error}", file=sys.stderr)
        return 1
    given.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    show(result)
    print(f"\nreport: {given.out}")
    return 0


def files() -> dict[str, int]:
    """Bytes of each file of the release, the manifest apart."""
    return {
        str(path.relative_to(RELEASE)): path.stat().st_size
        for path in sorted(RELEASE.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


def inside() -> dict[str, Any]:
    """What the initramfs consists of, before it is compressed."""
    entries = [entry for entry in read_cpio(TREE.read_bytes()) if entry.data]
    sizes: Counter[str] = Counter()
    for entry in entries:
        sizes[part_of(entry.path)] += len(entry.data)
    ours = [entry for entry in entries if part_of(entry.path) == "our code"]
    return {
        "bytes": dict(sizes.most_common()),
        "archive": TREE.stat().st_size,
        "files": len(entries),
        "programs": sum(1 for entry in entries if entry.mode & 0o111 and is_program(entry)),
        "our lines": sum(entry.data.count(b"\n") for entry in ours if entry.path.endswith(".py")),
    }


def part_of(path: str) -> str:
    """The name of the part that a path belongs to."""
    return next(name for start, name in PARTS.items() if path.startswith(start))


def is_program(entry: Entry) -> bool:
    """Whether a file can be executed by its name: an ELF program or a script."""
    return ".so" not in entry.path.rpartition("/")[2] and entry.data[:4] in (b"\x7fELF", b"#!/u")


def boot(number: int, boots: int) -> dict[str, float]:
    """Seconds from power on of one machine."""
    print(f"boot {number + 1} of {boots} …", file=sys.stderr)
    chat = read_chat(CHAT.read_bytes())
    with (
        tempfile.TemporaryDirectory(prefix="sealroom-") as name,
        booted(Path(name), None, Platform.SEV_SNP) as lab,
    ):
        if (machine := lab.machine) is None:
            raise VmError("deployment", "a machine", "none")
        began = time.monotonic()
        with connect(trust=Trust.load(lab.trust)) as room:
            verified = time.monotonic()
            room.summarize(chat.messages)
        return {
            "ready_s": machine.ready_s or math.nan,
            "verified_s": round(verified - began, 2),
            "answer_s": round(time.monotonic() - verified, 2),
            "first_answer_s": round(time.monotonic() - machine.started, 1),
        }


def show(result: Mapping[str, Any]) -> None:
    """Print what docs/image.md has."""
    inside_ = result["inside"]
    print("| file | bytes |\n|---|---|")
    for name, size in result["files"].items():
        print(f"| {name} | {size:,} |")
    print("\n| in the initramfs, not compressed | bytes |\n|---|---|")
    for name, size in inside_["bytes"].items():
        print(f"| {name} | {size:,} |")
    print(
        f"\n{inside_['files']} files, {inside_['programs']} of them programs; "
        f"{inside_['our lines']:,} lines of our code"
    )
    if result["boots"]:
        print("\n| of so many boots | median | least | most |\n|---|---|---|---|")
        for name in result["boots"][0]:
            values = [one[name] for one in result["boots"]]
            print(f"| {name} | {statistics.median(values):g} | {min(values):g} | {max(values):g} |")


if __name__ == "__main__":
    sys.exit(main())
