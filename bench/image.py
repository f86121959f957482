# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.image``: how large the image is, what is in it, and how long it takes to serve.

Sizes are read from what `make image` made. Times are of boots of the test variant under qemu's
emulation, with the stand-in model (`lab.vm.standin`): from power on to every process ready, and to
the first summary that a device has verified to its end. Emulated seconds say nothing of a real
processor; they compare one build of the image with another.

Memory is what the guest's kernel lacks of the machine's memory when it has least to give
(`bench.image_memory`), from its first program to the end of a summary: kernel, image, stand-in and
processes. With how much it does is tried: another machine gets that and no more, and if it does not
come up or answer, the next one gets `MEMORY_STEP_MIB` more.

With `--kernels N` the production image boots N times with each of the two kernels, in turn, until
its first program has found no platform and has switched the machine off. Debian's kernel comes from
``python -m image.build --kernel debian``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import socket
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
from bench import image_memory
from guest.settings import Variant
from image import cpio
from image.cpio import Entry, read_cpio
from lab.deployment import DeploymentError
from lab.documents import GuestPlan, sha256_of, write_config
from lab.model import ModelError
from lab.vm import probe
from lab.vm.deployment import VARIANT, ImageDeployment, booted
from lab.vm.errors import VmError
from lab.vm.machine import Machine
from lab.vm.plan import MEMORY_MIB, Disk, MachinePlan
from lab.vm.release import RELEASE, load_image
from lab.vm.tools import load_tools
from sealroom import SealroomError, Trust, connect, read_chat

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results" / "image.json"
TREE: Final = RELEASE.parent / "tree" / "initrd.cpio"
CHAT: Final = HERE.parent / "examples" / "chats" / "trip_planning.txt"
BOOTS: Final = 3
MEMORY_STEP_MIB: Final = 32
MEMORY_TRIES: Final = 4
KIB: Final = 1024
KERNELS: Final = {"ours": RELEASE, "Debian's": RELEASE.parent / "debian"}

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
    parser.add_argument(
        "--boots", type=int, default=BOOTS, help=f"default {BOOTS}, and two for memory; 0: sizes"
    )
    parser.add_argument("--kernels", type=int, default=0, metavar="N", help="boots of each kernel")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the numbers go, as JSON")
    given = parser.parse_args()
    try:
        result = {
            "command": " ".join(["python -m bench.image", *sys.argv[1:]]),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": {"cores": os.cpu_count(), "kernel": platform.release()},
            "files": files(),
            "inside": inside(),
            "load": os.getloadavg(),
            "boots": [boot(number, given.boots) for number in range(given.boots)],
            "memory": memory() if given.boots else None,
            "kernels": kernels(given.kernels),
        }
    except (DeploymentError, ModelError, SealroomError, VmError, OSError) as error:
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
    tell(f"boot {number + 1} of {boots} …")
    with (
        tempfile.TemporaryDirectory(prefix="sealroom-") as name,
        booted(Path(name), None, Platform.SEV_SNP) as lab,
    ):
        if (machine := lab.machine) is None:
            raise VmError("deployment", "a machine", "none")
        verified_s, answer_s = ask(lab)
        return {
            "ready_s": machine.ready_s or math.nan,
            "verified_s": verified_s,
            "answer_s": answer_s,
            "first_answer_s": round(time.monotonic() - machine.started, 1),
        }


def ask(lab: ImageDeployment) -> tuple[float, float]:
    """One summary: the seconds until the guest was verified, and from then to the receipt."""
    chat = read_chat(CHAT.read_bytes())
    began = time.monotonic()
    with connect(trust=Trust.load(lab.trust), timeouts=lab.TIMEOUTS) as room:
        verified = time.monotonic()
        room.summarize(chat.messages)
        return round(verified - began, 2), round(time.monotonic() - verified, 2)


def kernels(rounds: int) -> dict[str, list[float]]:
    """Seconds from power on to the guest's refusal, by kernel.

    Raises:
        VmError: one of the images has not been built, or does not get so far.
    """
    took: dict[str, list[float]] = {name: [] for name in KERNELS}
    with tempfile.TemporaryDirectory(prefix="sealroom-") as place:
        folder = Path(place)
        model, config = folder / "model", folder / "config"
        model.write_bytes(bytes(4096))
        digest = sha256_of(model)
        config.write_bytes(write_config(GuestPlan(variant=Variant.PRODUCTION), digest))
        for number in range(rounds):
            for name, built in KERNELS.items():
                tell(f"boot {number + 1} of {rounds}, kernel {name} …")
                image = load_image("production", built)
                cmdline = image.cmdline_for(digest, model.stat().st_size)
                image = image.with_cmdline(cmdline, folder / "initrd")
                plan = MachinePlan(
                    kernel=image.kernel,
                    initrd=image.initrd,
                    cmdline=cmdline,
                    disks=(Disk(model), Disk(config)),
                )
                with Machine(plan, load_tools()) as machine:
                    machine.wait_event("power-off")
                    took[name].append(round(time.monotonic() - machine.started, 1))
    return took


def memory() -> dict[str, float]:
    """MiB of a machine's memory that a guest uses at most, and with how many it does all it does.

    Raises:
        VmError: it said nothing of it, or does not do with somewhat more than it is said to use.
    """
    tell("boot for its memory …")
    with tempfile.TemporaryDirectory(prefix="sealroom-") as name:
        lows: list[dict[str, int]] = []
        image = load_image(VARIANT).with_overlay(beside(), Path(name) / "beside")
        answer = {image_memory.PORT: lambda link: read_lows(link, lows)}
        with booted(Path(name), None, Platform.SEV_SNP, image=image, answer=answer) as lab:
            ask(lab)
    if not lows:
        raise VmError("guest", "numbers of its memory", "none")
    low = lows[-1]
    used = MEMORY_MIB - low["least_kib"] / KIB
    return {
        "machine_mib": MEMORY_MIB,
        "kernel_gives_mib": round(low["total_kib"] / KIB, 1),
        "used_mib": round(used, 1),
        "of which what measures_mib": round(low["own_kib"] / KIB, 1),
        "enough_mib": enough(math.ceil(used / MEMORY_STEP_MIB) * MEMORY_STEP_MIB),
    }


def enough(first: int) -> int:
    """The first of some sizes of a machine, in MiB, in which a guest comes up and answers.

    Raises:
        VmError: it is none of them.
    """
    sizes = range(first, first + MEMORY_TRIES * MEMORY_STEP_MIB, MEMORY_STEP_MIB)
    for size in sizes:
        tell(f"boot with {size} MiB …")
        try:
            with (
                tempfile.TemporaryDirectory(prefix="sealroom-") as name,
                booted(Path(name), None, Platform.SEV_SNP, memory_mib=size) as lab,
            ):
                ask(lab)
        except (DeploymentError, SealroomError) as error:
            tell(f"{size} MiB: {error}")
        else:
            return size
    raise VmError("memory", f"an answer with {sizes[0]} to {sizes[-1]} MiB", "none")


def beside() -> list[Entry]:
    """What is laid over the image to ask its kernel: the lab's probe, with another program."""
    program = Path(image_memory.__file__).read_bytes()
    rest = [entry for entry in probe.overlay() if entry.path != probe.PROGRAM]
    return [*rest, cpio.file(probe.PROGRAM, program)]


def read_lows(link: socket.socket, lows: list[dict[str, int]]) -> None:
    """Keep each row that the guest tells."""
    with link.makefile("r", encoding="ascii") as rows:
        lows.extend(json.loads(row) for row in rows)


def tell(line: str) -> None:
    """Print a line of progress."""
    print(line, file=sys.stderr, flush=True)


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
    for name, values in result["kernels"].items():
        if values:
            low, high = min(values), max(values)
            print(f"\nkernel {name}: {statistics.median(values):g} s, {low:g} to {high:g}")
    if result["memory"]:
        print("\n| memory | MiB |\n|---|---|")
        for name, value in result["memory"].items():
            print(f"| {name.removesuffix('_mib')} | {value:g} |")


if __name__ == "__main__":
    sys.exit(main())
