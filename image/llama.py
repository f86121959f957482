# SPDX-License-Identifier: Apache-2.0
"""Build llama.cpp's libraries for the image, the same bytes wherever they are built.

The rule that holds here: the libraries depend on the source distribution that requirements/ and
image/locks/wheels.txt pin, on the compiler of the tool root and on FLAGS; on nothing of the
machine. In the tool root, sources and results have the same paths wherever the checkout lies. One
baseline, x86-64-v3 (AVX2, FMA, F16C, BMI2): each host of confidential VMs has it, and with one
there is nothing for a host to choose by what its CPUID says. `python -m bench.baseline` measures
what that costs (ADR 0019).

    python -m image.llama
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from image.deb import FILE_MAX_BYTES
from image.elf import needed_libraries
from image.errors import ImageError
from image.fetch import cache_folder
from image.toolroot import ENVIRONMENT, Mount, run
from image.toolroot import LOCK as TOOLS_LOCK
from image.wheels import BINDING_PROJECT, fetch_wheels

OUT = Path("build/image/llama")
LIBRARIES = ("libggml-base.so", "libggml-cpu.so", "libggml.so", "libllama.so")
# What the libraries may ask for: each other, and what the image has of Debian.
MAY_NEED = {
    *LIBRARIES,
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libgcc_s.so.1",
    "libm.so.6",
    "libstdc++.so.6",
}
# Of the source distribution only what the target `llama` is made of.
SOURCES = (
    "CMakeLists.txt",
    "LICENSE",
    "cmake/",
    "ggml/",
    "include/",
    "licenses/",
    "src/",
    "vendor/",
)
STAMP = "built.json"
TICK_S = 15

_COMPILER = (
    "-march=x86-64-v3 -g0 -fno-ident -fstack-protector-strong -fstack-clash-protection"
    " -fcf-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3"
)
_LINKER = "-s -Wl,--build-id=none -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed"
FLAGS = {
    "BUILD_SHARED_LIBS": "ON",
    "CMAKE_BUILD_TYPE": "Release",
    "CMAKE_BUILD_WITH_INSTALL_RPATH": "ON",
    "CMAKE_C_FLAGS": _COMPILER,
    "CMAKE_CXX_FLAGS": _COMPILER,
    "CMAKE_INSTALL_RPATH": "$ORIGIN",
    # libllama.so without a number behind it: there is one, and the binding loads it by that name.
    "CMAKE_PLATFORM_NO_VERSIONED_SONAME": "ON",
    "CMAKE_SHARED_LINKER_FLAGS": _LINKER,
    "GGML_AVX": "ON",
    "GGML_AVX2": "ON",
    "GGML_BMI2": "ON",
    # Otherwise asked of git, which is not in the tool root.
    "GGML_BUILD_COMMIT": "pinned",
    "GGML_BUILD_NUMBER": "0",
    "GGML_CCACHE": "OFF",
    "GGML_F16C": "ON",
    "GGML_FMA": "ON",
    "GGML_NATIVE": "OFF",
    # Without it ggml makes its threads per graph, so that the zygote can fork between graphs.
    "GGML_OPENMP": "OFF",
    "GGML_SSE42": "ON",
    "LLAMA_BUILD_APP": "OFF",
    "LLAMA_BUILD_COMMIT": "pinned",
    "LLAMA_BUILD_COMMON": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_NUMBER": "0",
    "LLAMA_BUILD_SERVER": "OFF",
    "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_BUILD_TOOLS": "OFF",
    "LLAMA_CURL": "OFF",
}
"""CMake's variables, all of them; CMake's own defaults are the locked version's."""


class LlamaError(ImageError):
    """llama.cpp could not be built, or what was built is not what the image takes."""


def say(text: str) -> None:
    """Print a line of progress to standard error."""
    print(f"llama.cpp: {text}", file=sys.stderr, flush=True)


def digest(path: Path) -> str:
    """Return the file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def build_key(sdist: Path) -> str:
    """Return the digest of everything that the libraries depend on."""
    inputs = [digest(sdist), digest(TOOLS_LOCK), ENVIRONMENT, FLAGS, SOURCES]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def unpack_sources(sdist: Path, folder: Path) -> None:
    """Unpack llama.cpp's sources out of the source distribution.

    Raises:
        LlamaError: the archive is damaged, or has no llama.cpp in it.
    """
    with tarfile.open(sdist, mode="r:gz") as archive:
        for member in archive:
            path = member.name.partition("/vendor/llama.cpp/")[2]
            if not member.isfile() or not path.startswith(SOURCES) or ".." in path.split("/"):
                continue
            file = archive.extractfile(member)
            if file is None or member.size > FILE_MAX_BYTES:
                raise LlamaError(f"{path}: wanted {FILE_MAX_BYTES} bytes at most")
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(file.read())
    if not (folder / "CMakeLists.txt").is_file():
        raise LlamaError(f"{sdist}: wanted vendor/llama.cpp in it, got none")


def check_libraries(folder: Path) -> None:
    """Check that the folder has the libraries, and that they ask for nothing the image lacks.

    Raises:
        ImageError: a library is missing, is no ELF file, or needs another one.
    """
    for name in LIBRARIES:
        if not (folder / name).is_file():
            raise LlamaError(f"{folder}: wanted {name}, got none")
        needed = set(needed_libraries((folder / name).read_bytes()))
        if foreign := needed - MAY_NEED:
            raise LlamaError(f"{name}: wanted {sorted(MAY_NEED)} at most, got {sorted(foreign)}")


def compile_libraries(sdist: Path, out: Path, log: Path) -> None:
    """Compile the libraries into `out`, an empty folder.

    Raises:
        ImageError: the tool root is not to be had, or the build fails.
    """
    began = said = time.monotonic()

    def on_line(line: str) -> None:
        nonlocal said
        step = re.match(r"\[(\d+)/(\d+)\]", line)
        now = time.monotonic()
        if step and (now - said >= TICK_S or step[1] == step[2]):
            said = now
            say(f"{step[1]:>3}/{step[2]} {now - began:5.0f} s")

    # Stays if something fails, for a look at it; the next build begins anew.
    scratch = log.with_suffix("")
    shutil.rmtree(scratch, ignore_errors=True)
    source, objects = scratch / "src", scratch / "objects"
    source.mkdir(parents=True)
    objects.mkdir()
    unpack_sources(sdist, source)
    mounts = [Mount(source, "/build/src"), Mount(objects, "/build/out", writable=True)]
    flags = [f"-D{name}={value}" for name, value in FLAGS.items()]
    configure = ["cmake", "-S", "/build/src", "-B", "/build/out", "-G", "Ninja", *flags]
    run(configure, mounts=mounts, log=log.with_suffix(".cmake.log"))
    jobs = str(len(os.sched_getaffinity(0)))
    compile_all = ["cmake", "--build", "/build/out", "--target", "llama", "--parallel", jobs]
    run(compile_all, mounts=mounts, log=log, on_line=on_line)
    check_libraries(objects / "bin")
    for name in LIBRARIES:
        shutil.copyfile(objects / "bin" / name, out / name)
        (out / name).chmod(0o755)
    shutil.rmtree(scratch)


def intact(folder: Path, key: str) -> bool:
    """Return whether the folder has the libraries that were built from the inputs of `key`."""
    try:
        stamp = json.loads((folder / STAMP).read_text())
        return bool(stamp == {"key": key, **{name: digest(folder / name) for name in LIBRARIES}})
    except (OSError, ValueError):
        return False


def keep(source: Path, folder: Path, key: str) -> None:
    """Copy libraries and stamp to `folder` in one rename, over whatever is there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as scratch:
        ready, old = Path(scratch) / "ready", Path(scratch) / "old"
        ready.mkdir()
        for name in LIBRARIES:
            shutil.copy2(source / name, ready)
        stamp = {"key": key, **{name: digest(ready / name) for name in LIBRARIES}}
        (ready / STAMP).write_text(json.dumps(stamp, indent=1, sort_keys=True) + "\n")
        if folder.exists():
            folder.rename(old)
        ready.rename(folder)


def build_llama(out: Path = OUT, *, cached: bool = True) -> dict[str, Path]:
    """Return the libraries by name, built if `out` does not have them from the same inputs.

    Args:
        out: where they lie afterwards.
        cached: whether libraries that an earlier build kept may be taken.

    Raises:
        ImageError: a source or tool is not to be had, or the build fails.
    """
    sdist = fetch_wheels()[BINDING_PROJECT]
    key = build_key(sdist)
    cache = cache_folder().parent / "llama" / key
    if not intact(out, key):
        if cached and intact(cache, key):
            say(f"from the cache, {cache}")
            keep(cache, out, key)
        else:
            say("compiling, some minutes on two cores")
            out.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
                compile_libraries(sdist, Path(scratch), out.parent / f"{out.name}-build.log")
                keep(Path(scratch), out, key)
            keep(out, cache, key)
    return {name: out / name for name in LIBRARIES}


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the libraries and print their digests."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=OUT, help=f"default: {OUT}")
    parser.add_argument("--no-cache", action="store_true", help="compile, whatever was kept")
    options = parser.parse_args(arguments)
    try:
        for name, path in build_llama(options.out, cached=not options.no_cache).items():
            print(f"{digest(path)}  {name}")
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
