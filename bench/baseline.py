# SPDX-License-Identifier: Apache-2.0
"""``python -m bench.baseline``: what the image's baseline for llama.cpp costs, on this processor.

The same model and request, one thread, and llama.cpp built in different ways: for x86-64-v3 as in
the image (`image.llama`); as in the development wheel, for this processor, by this machine's
compiler; with `--native` also as in the image, but for this processor what computes. A choice
between variants at run time could win what the last wins over the first, on this processor.

Each build runs under the image's interpreter and libraries, in one process that loads the model
once; rounds alternate between the builds, and the fastest of each counts. All rounds are kept.
`make image` and `make model` come first.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from bench.models import DIALOGUES, dialogue, long_request, simd
from image import llama
from image.cpio import read_cpio
from image.errors import ImageError
from image.interpreter import ARCHIVE
from image.layout import LIBRARIES, LINKER, LLAMA, PACKAGES, PYTHON, Tree
from image.toolroot import Mount, run
from image.wheels import BINDING_PROJECT, fetch_wheels
from lab.model import ModelError, default_model

HERE: Final = Path(__file__).parent
INSIDE: Final = HERE / "baseline_inside.py"
NATIVE: Final = Path("build/bench/llama-native")
RATE_TOKENS: Final = 65
TIMES: Final = ("prefill", "decode")


def main() -> int:
    """Measure, print a table, keep the raw numbers; 1 if there is no image or no model."""
    parser = argparse.ArgumentParser(prog="python -m bench.baseline", description=__doc__)
    parser.add_argument("--rounds", type=int, default=8, help="of each build (default 8)")
    parser.add_argument("--native", action="store_true", help=f"and {NATIVE}, compiled if absent")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "baseline.json")
    given = parser.parse_args()
    try:
        builds = libraries(native=given.native)
        load_before = os.getloadavg()[0]
        rounds = measure(builds, default_model(), given.rounds)
    except (ImageError, ModelError, OSError) as error:
        print(f"bench.baseline: {error}", file=sys.stderr)
        return 1
    best = {name: fastest(found) for name, found in rounds.items()}
    result = {
        "command": f"python -m bench.baseline{' --native' * given.native} --rounds {given.rounds}",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "simd": simd(),
            "load": [load_before, os.getloadavg()[0]],
        },
        "tokens per second of processor time, fastest round": best,
        "rounds": rounds,
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(f"{'tokens/s, one thread':28}" + "".join(f"{name:>12}" for name in TIMES))
    for name, rates in best.items():
        print(f"{name:28}" + "".join(f"{rates[each]:>12}" for each in TIMES))
    return 0


def libraries(*, native: bool) -> dict[str, Path]:
    """The folder with the libraries of each build, by its name in the report.

    Raises:
        ImageError: one cannot be built.
    """
    found = {"x86-64-v3, the image's": llama.OUT}
    llama.build_llama(llama.OUT)
    spec = find_spec("llama_cpp")
    if spec is not None and spec.submodule_search_locations:
        found["native, the wheel's"] = Path(spec.submodule_search_locations[0]) / "lib"
    if native:
        found["native, image's compiler"] = NATIVE
        if not NATIVE.is_dir():
            compile_native(NATIVE)
    return found


def native_variables() -> dict[str, str]:
    """CMake's variables of the image, but for this processor alone."""
    ours = {
        name: value.replace("-march=x86-64-v3", "-march=native")
        for name, value in llama.FLAGS.items()
    }
    return {**ours, "GGML_NATIVE": "ON"}


def compile_native(folder: Path) -> None:
    """Build what computes, `libggml-cpu.so`, for this processor; the rest is the image's.

    Raises:
        ImageError: a source or tool is not to be had, or the build fails.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = folder.with_name(f"{folder.name}.log")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        source, objects, ready = (Path(scratch) / name for name in ("src", "objects", "ready"))
        for each in (source, objects, ready):
            each.mkdir()
        llama.unpack_sources(fetch_wheels()[BINDING_PROJECT], source)
        mounts = [Mount(source, "/build/src"), Mount(objects, "/build/out", writable=True)]
        flags = [f"-D{name}={value}" for name, value in native_variables().items()]
        configure = ["cmake", "-S", "/build/src", "-B", "/build/out", "-G", "Ninja", *flags]
        run(configure, mounts=mounts, log=log.with_suffix(".cmake.log"))
        compile_it = ["cmake", "--build", "/build/out", "--target", "ggml-cpu"]
        run(compile_it, mounts=mounts, log=log)
        for name in llama.LIBRARIES:
            from_here = objects / "bin" / name if name == "libggml-cpu.so" else llama.OUT / name
            shutil.copyfile(from_here, ready / name)
        ready.rename(folder)


def measure(builds: Mapping[str, Path], model: Path, rounds: int) -> dict[str, list[Any]]:
    """Alternating rounds of all builds.

    Raises:
        OSError: the image was not built, or a build does not run here.
    """
    rows = [dialogue(json.loads(line)) for line in DIALOGUES.read_text().splitlines()]
    task = [str(model.resolve()), long_request(rows).decode(), RATE_TOKENS]
    found: dict[str, list[Any]] = {name: [] for name in builds}
    with (
        tempfile.TemporaryDirectory(prefix="sealroom-baseline-") as scratch,
        contextlib.ExitStack() as stack,
    ):
        running = {}
        for number, (name, folder) in enumerate(builds.items()):
            tree = lay_tree(Path(scratch) / str(number), folder)
            running[name] = stack.enter_context(start(tree))
            ask(running[name], task)
        for _ in range(rounds):
            for name, process in running.items():
                ask(process, "round")
                found[name].append(reply(process))
    return found


def lay_tree(tree: Path, folder: Path) -> Path:
    """The image's files with the libraries of `folder` instead of its own."""
    Tree(read_cpio(ARCHIVE.read_bytes())).write(tree)
    shutil.rmtree(tree / LLAMA)
    (tree / LLAMA).mkdir()
    for path in folder.glob("lib*.so*"):
        shutil.copyfile(path, tree / LLAMA / path.name)
    return tree


def start(tree: Path) -> subprocess.Popen[str]:
    """The other side, under the tree's own interpreter and libraries."""
    words: Sequence[Path | str] = [
        tree / LINKER,
        "--library-path",
        tree / LIBRARIES,
        tree / PYTHON,
        "-I",
        "-B",
        INSIDE,
        tree / PACKAGES,
    ]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={})


def ask(process: subprocess.Popen[str], what: Any) -> None:
    """Write one line to the other side."""
    assert process.stdin is not None
    process.stdin.write(json.dumps(what) + "\n")
    process.stdin.flush()


def reply(process: subprocess.Popen[str]) -> Any:
    """Read one line of the other side.

    Raises:
        OSError: it ended instead.
    """
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise OSError(f"{INSIDE.name}: wanted a round, got its end")
    return json.loads(line)


def fastest(rounds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Tokens per second of processor time, in the round that was fastest at it."""
    counts = {"prefill": "tokens_in", "decode": "tokens_out"}
    return {
        name: round(max(each[counts[name]] / each[f"{name}_s"] for each in rounds), 1)
        for name in TIMES
    }


if __name__ == "__main__":
    sys.exit(main())
