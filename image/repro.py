# SPDX-License-Identifier: Apache-2.0
"""Build twice, differently, and compare byte for byte: `make repro`.

The first build is the one in build/image, made now if it is not there. The second is made elsewhere
(image/elsewhere.py): another path, user, time zone, locale, umask, hash seed and clock, from the
source and the verified downloads alone. Every artefact's SHA-256 is printed; a difference is
explained file by file, and the second build's files stay in build/image/repro for a closer look.

    python -m image.repro                        # everything
    python -m image.repro --only initrd          # with the kernel and llama.cpp of the first build
    python -m image.repro --once kernel          # with a kernel that is built elsewhere only
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image import firmware, kernel_source
from image.build import RESEARCH, ROOTFS, TOOLS
from image.difference import explanation
from image.elsewhere import CLOCK_SHIFT_DAYS, STDERR, elsewhere
from image.errors import ImageError
from image.fetch import cache_folder, fetch
from image.toolroot import FAKETIME_LIBRARY, OUTER_ENVIRONMENT, command, tool_root
from image.wheels import fetch_wheels

KEPT = Path("build/image/repro")
INPUTS = ("build/model",)
"""Downloads, or made of them, that have a digest of their own: inputs to both builds."""
KERNELS = ("production", "research", "test")
PROBE = "probe"
"""A kernel for tests/boot/test_kernel.py, no part of a release. It costs little beside the others,
and all there is to do without their objects."""
DOWNLOADS = (ROOTFS, RESEARCH, TOOLS, kernel_source.LOCK, firmware.LOCK)


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is built: by which modules, and what comes of it.

    Attributes:
        commands: modules of `image` with their arguments.
        products: glob patterns of the artefacts, below the checkout.
        results: folders below the checkout that another part needs of this one.
    """

    commands: tuple[tuple[str, ...], ...]
    products: tuple[str, ...]
    results: tuple[str, ...]


PARTS: Mapping[str, Part] = {
    "llama": Part((("image.llama",),), ("build/image/llama/*.so",), ("build/image/llama",)),
    "kernel": Part(
        (("image.kernel_build", *(x for name in (*KERNELS, PROBE) for x in ("--variant", name))),),
        # Each by its name: kernels that are no part of a release may lie there from tests.
        tuple(f"build/image/kernel/{name}/bzImage" for name in KERNELS),
        tuple(f"build/image/kernel/{name}" for name in (*KERNELS, PROBE)),
    ),
    "initrd": Part(
        (("image.build",),),
        tuple(f"build/image/release/{name}" for name in ("*/*", "*.fd", "*.gguf", "*.txt")),
        ("build/image/release",),
    ),
}
"""In the order in which they are built: what comes later needs what came before."""


class ReproError(ImageError):
    """The two builds could not be made, or made nothing."""


def say(text: str) -> None:
    """Print a line of progress to standard error."""
    print(f"repro: {text}", file=sys.stderr, flush=True)


def unzstd(data: bytes) -> bytes:
    """Decompress with the tool root's zstd."""
    words = command(["zstd", "-dcq"], root=tool_root())
    ran = subprocess.run(words, input=data, env=OUTER_ENVIRONMENT, capture_output=True, check=False)
    if ran.returncode:
        raise ReproError(f"zstd: {ran.stderr.decode(errors='replace').strip()}")
    return ran.stdout


def products(root: Path, parts: Sequence[Part]) -> dict[str, Path]:
    """Return the artefacts of the parts under a checkout, by their path below it.

    Raises:
        ReproError: of one kind there is none, so that nothing would be compared.
    """
    found: dict[str, Path] = {}
    for pattern in (pattern for part in parts for pattern in part.products):
        paths = [path for path in sorted(root.glob(pattern)) if path.is_file()]
        if not paths:
            raise ReproError(f"{root}: wanted {pattern}, got no such file")
        found |= {str(path.relative_to(root)): path for path in paths}
    return found


def compare(first: Mapping[str, Path], second: Mapping[str, Path], kept: Path) -> list[str]:
    """Print the digest of every artefact, and return what differs, explained.

    Args:
        first: artefacts of the first build by name.
        second: those of the second.
        kept: where the differing files of the second build are copied to.
    """
    findings: list[str] = []
    for name in sorted(first.keys() | second.keys()):
        if name not in first or name not in second:
            findings.append(f"{name}: only in the {'first' if name in first else 'second'} build")
            continue
        one, other = first[name].read_bytes(), second[name].read_bytes()
        print(f"{hashlib.sha256(one).hexdigest()}  {name}", flush=True)
        if one == other:
            continue
        findings.append(f"{name}: the second has SHA-256 {hashlib.sha256(other).hexdigest()}")
        findings += [f"  {line}" for line in explanation(one, other, unzstd)]
        copy = kept / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(other)
        if shutil.which("diffoscope"):
            findings.append(f"  closer: diffoscope {first[name]} {copy}")
    return findings


def reproduce(
    root: Path,
    names: Sequence[str],
    parts: Mapping[str, Part],
    *,
    clock: Path,
    cache: Path,
    once: Sequence[str] = (),
) -> list[str]:
    """Build the named parts here and elsewhere, and return what differs, explained.

    Args:
        root: the checkout.
        names: of the parts that are built twice and compared.
        parts: all there are.
        clock: a library that shifts the clock.
        cache: sealroom's cache.
        once: parts that are built elsewhere alone, and then brought here in the place of a build.

    Raises:
        ImageError: one of the builds fails, or the other place is not other enough.
    """
    there_too = [part for name, part in parts.items() if name in names or name in once]
    wanted = [part for name, part in parts.items() if name in names and name not in once]
    brought = [kept for name in once for kept in parts[name].results]
    # What is brought is not there yet, so nothing may be built of it before.
    if not once:
        build_here(root, wanted)
    others = [kept for part in parts.values() if part not in there_too for kept in part.results]
    seeds = [name for name in (*INPUTS, *others) if (root / name).is_dir()]
    with elsewhere(root, clock=clock, cache=cache, seeds=seeds) as there:
        for name, value in there.tell().items():
            say(f"second: {name} {value}")
        for part in there_too:
            for words in part.commands:
                say(f"second: {' '.join(words)}")
                there.run(["-m", *words])
        for folder in brought:
            shutil.rmtree(root / folder, ignore_errors=True)
            shutil.copytree(there.checkout / folder, root / folder, symlinks=True)
        if once:
            build_here(root, wanted)
        shutil.rmtree(root / KEPT, ignore_errors=True)
        return compare(products(root, wanted), products(there.checkout, wanted), root / KEPT)


def download() -> None:
    """Fetch everything that both builds are made of.

    The second cannot: where the clock is years ahead, every certificate of a registry has expired.

    Raises:
        ImageError: something is not to be had, or another one than locked.
    """
    for lock in DOWNLOADS:
        fetch(lock)
    fetch_wheels()


def build_here(root: Path, parts: Sequence[Part]) -> None:
    """Build these parts in the checkout itself.

    Raises:
        ReproError: one of the commands fails.
    """
    for words in (words for part in parts for words in part.commands):
        say(f"first: {' '.join(words)}")
        ended = subprocess.run([sys.executable, "-m", *words], cwd=root, stdout=STDERR, check=False)
        if ended.returncode:
            raise ReproError(f"{' '.join(words)}: wanted exit 0, got {ended.returncode}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Build twice, compare, and fail on a difference."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=PARTS, action="append", help="compare this part alone")
    parser.add_argument(
        "--once",
        choices=PARTS,
        action="append",
        default=[],
        help="build this part elsewhere alone and bring it here: for who has its digest already",
    )
    options = parser.parse_args(arguments)
    root = Path.cwd()
    try:
        clock = tool_root() / FAKETIME_LIBRARY.removeprefix("/")
        cache = cache_folder().parent
        names = options.only or list(PARTS)
        download()
        findings = reproduce(root, names, PARTS, clock=clock, cache=cache, once=options.once)
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    for finding in findings:
        print(finding, file=sys.stderr)
    say("the builds differ" if findings else f"identical, {CLOCK_SHIFT_DAYS} days apart")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
