# SPDX-License-Identifier: Apache-2.0
"""Build llama-cpp-python's wheel once for this CPU and install it into the running environment.

The rule that holds here: a wheel built with -march=native is used only where the very same source,
flags, compiler and CPU features built it. All of them are in the cache's key; the wheel's SHA-256
is the name of its folder, and a folder whose wheel has another digest is thrown away. The cache
(``$XDG_CACHE_HOME/sealroom/wheels``) is a convenience: without it the wheel is built again.

    python requirements/llama_wheel.py requirements/dev.txt
"""

import argparse
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = "llama-cpp-python"
HERE = Path(__file__).resolve().parent
NO_COMMON = HERE / "llama.cmake"
# GGML_OPENMP: without it ggml makes its threads per graph, so the zygote can fork between graphs.
# LLAVA_BUILD: pictures, which no task takes. GGML_CCACHE: what is built depends on the key alone.
# The two places: otherwise the wheel carries the libraries again, in lib/ of site-packages.
CMAKE_FLAGS = (
    "-DGGML_OPENMP=OFF",
    "-DLLAVA_BUILD=OFF",
    "-DGGML_CCACHE=OFF",
    "-DCMAKE_INSTALL_LIBDIR=llama_cpp/lib",
    "-DCMAKE_INSTALL_INCLUDEDIR=llama_cpp/include",
)
# What a Debian without compilers lacks, each with the package that brings it.
NEEDED = {"cmake": "cmake", "cc": "gcc", "c++": "g++"}
BUILD_VARIABLES = ("CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS")
TICK_S = 15
LOG_TAIL_LINES = 40


class WheelError(Exception):
    """The wheel could not be built or installed; the text says what to do."""


def locked_requirement(lock: Path) -> str:
    """Return the lines of the lock file that pin the project and its hashes."""
    found = re.search(rf"^{PROJECT}==[^\n]*(?:\n[ \t][^\n]*)*", lock.read_text(), re.MULTILINE)
    if found is None or "--hash=" not in found[0]:
        raise WheelError(f"{lock}: wanted a line '{PROJECT}==VERSION' with hashes, got none")
    return found[0] + "\n"


def cpu_features() -> list[str]:
    """Return what the kernel says of the CPU that a native build depends on."""
    words = ("vendor_id", "cpu family", "model", "flags", "CPU implementer", "CPU part", "Features")
    rows = Path("/proc/cpuinfo").read_text().splitlines()
    pairs = (tuple(part.strip() for part in row.partition(":")[::2]) for row in rows)
    # A set: all cores count, so that a mixed machine has a key of its own.
    return sorted({f"{name}={value}" for name, value in pairs if name in words})


def compiler_version() -> str:
    """Return the C++ compiler's own line about itself."""
    command = [*os.environ.get("CXX", "c++").split(), "--version"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise WheelError(
            f"{command[0]}: wanted a C++ compiler, got none (Debian: apt install g++ cmake make)"
        ) from error
    return run.stdout.splitlines()[0]


def cache_key(requirement: str) -> str:
    """Return the digest of everything that the built wheel depends on."""
    built_from = {
        "requirement": requirement,
        "flags": CMAKE_FLAGS,
        "cmake": NO_COMMON.read_text(),
        "build": (HERE / "build.txt").read_text(),
        "compiler": compiler_version(),
        "environment": {name: os.environ.get(name, "") for name in BUILD_VARIABLES},
        "machine": [platform.machine(), *platform.libc_ver(), *cpu_features()],
    }
    return hashlib.sha256(json.dumps(built_from, sort_keys=True).encode()).hexdigest()[:32]


def digest(path: Path) -> str:
    """Return the file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached_wheel(folder: Path) -> Path | None:
    """Return the intact wheel kept under `folder`; whatever is not intact is removed."""
    for kept in sorted(folder.iterdir()) if folder.is_dir() else ():
        wheels = sorted(kept.glob("*.whl"))
        if len(wheels) == 1 and digest(wheels[0]) == kept.name:
            return wheels[0]
        print(f"llama.cpp: the cached wheel {kept.name[:12]} is damaged: removed", file=sys.stderr)
        shutil.rmtree(kept)
    return None


def keep_wheel(wheel: Path, folder: Path) -> None:
    """Put a copy of the wheel into the cache in one rename; a cache that refuses is only named."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as scratch:
            ready = Path(scratch) / "ready"
            ready.mkdir()
            shutil.copy2(wheel, ready)
            ready.rename(folder / digest(wheel))
    except OSError as error:
        print(f"llama.cpp: the wheel is not kept for next time: {error}", file=sys.stderr)


def build_wheel(requirement: str, out: Path, log: Path) -> Path:
    """Build the wheel from its hashed source distribution and show how far the build is."""
    absent = [package for program, package in NEEDED.items() if not shutil.which(program)]
    if absent:
        raise WheelError(f"llama.cpp: wanted a compiler (Debian: apt install {' '.join(absent)})")
    pinned = out / "llama.txt"
    pinned.write_text(requirement)
    # --no-cache-dir: pip's own cache of built wheels knows neither flags nor CPU.
    command = [sys.executable, "-m", "pip", "wheel", "--verbose", "--no-cache-dir", "--no-deps"]
    command += ["--require-hashes", "--no-binary", PROJECT, "--no-build-isolation"]
    command += ["--wheel-dir", str(out), "--requirement", str(pinned)]
    flags = [*CMAKE_FLAGS, f"-DCMAKE_PROJECT_llama_cpp_INCLUDE={NO_COMMON}"]
    environment = dict(
        os.environ,
        CMAKE_ARGS=shlex.join(flags),
        CMAKE_BUILD_PARALLEL_LEVEL=str(len(os.sched_getaffinity(0))),
        PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    )
    began = said = time.monotonic()
    print("llama.cpp: compiling, once per machine; some minutes on two cores", file=sys.stderr)
    with (
        log.open("w") as kept,
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as build,
    ):
        for line in build.stdout or ():
            kept.write(line)
            step = re.match(r"\s*\[(\d+)/(\d+)\]", line)
            now = time.monotonic()
            if step and (now - said >= TICK_S or step[1] == step[2]):
                said = now
                print(f"llama.cpp: {step[1]:>4}/{step[2]} {now - began:6.0f} s", file=sys.stderr)
    wheels = sorted(out.glob("*.whl"))
    if build.returncode or len(wheels) != 1:
        tail = "\n".join(log.read_text().splitlines()[-LOG_TAIL_LINES:])
        raise WheelError(
            f"{tail}\nllama.cpp: wanted a wheel, got exit {build.returncode}: see {log}"
        )
    return wheels[0]


def install(wheel: Path) -> None:
    """Install the wheel over whatever stands there and load its library once."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    for command in (
        [*pip, "--force-reinstall", str(wheel)],
        [sys.executable, "-c", "import llama_cpp.llama_cpp"],
    ):
        if subprocess.run(command, check=False).returncode:
            raise WheelError(f"{' '.join(command)}: wanted exit 0; is {wheel} for this machine?")


def main() -> int:
    """Install from the cache, or build, keep and install."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("lock", type=Path, help="the hashed requirements file that pins the wheel")
    parser.add_argument("--log", type=Path, default=Path("build/llama-wheel.log"))
    options = parser.parse_args()
    # The XDG rules: a relative path counts as unset.
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    base = base if base.is_absolute() else Path("~/.cache").expanduser()
    try:
        requirement = locked_requirement(options.lock)
        folder = base / "sealroom" / "wheels" / cache_key(requirement)
        if kept := cached_wheel(folder):
            print(f"llama.cpp: from the cache, {kept}", file=sys.stderr)
            install(kept)
            return 0
        options.log.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="sealroom-llama-") as out:
            wheel = build_wheel(requirement, Path(out), options.log)
            install(wheel)
            keep_wheel(wheel, folder)
    except WheelError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
