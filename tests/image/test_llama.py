# SPDX-License-Identifier: Apache-2.0
"""The libraries depend on pinned source, tools and flags; what fits is not built again."""

import io
import json
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from image import llama
from image.llama import (
    FLAGS,
    LIBRARIES,
    LlamaError,
    build_key,
    build_llama,
    check_libraries,
    digest,
    main,
    unpack_sources,
)
from image.wheels import BINDING_PROJECT

SOURCES = {
    "llama_cpp_python-0/vendor/llama.cpp/CMakeLists.txt": b"project(llama)",
    "llama_cpp_python-0/vendor/llama.cpp/src/llama.cpp": b"int main;",
    "llama_cpp_python-0/vendor/llama.cpp/tools/server/server.cpp": b"not built",
    "llama_cpp_python-0/vendor/llama.cpp/src/../../escape": b"not written",
    "llama_cpp_python-0/llama_cpp/llama.py": b"not C++",
}


def write_sdist(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def sdist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source distribution in the place of the pinned one, and a cache beside it."""
    path = write_sdist(tmp_path / "sdist.tar.gz", SOURCES)
    monkeypatch.setattr(llama, "fetch_wheels", lambda: {BINDING_PROJECT: path})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return path


class Tools:
    """In the place of the tool root: compiles four small libraries with this machine's compiler."""

    def __init__(self, scratch: Path, links: str = "-lm") -> None:
        self.asked: list[Sequence[str]] = []
        self.seen: set[str] = set()
        (scratch / "a.c").write_text("double cos(double); double f(double x) { return cos(x); }\n")
        command = ["cc", "-shared", "-fPIC", "-g0", "-o", "a.so", "a.c", *links.split()]
        subprocess.run(command, cwd=scratch, check=True)
        self.library = (scratch / "a.so").read_bytes()

    def run(self, argv: Sequence[str], *, mounts: Any, log: Path, **_: Any) -> None:
        self.asked.append(argv)
        source, objects = (mount.source for mount in mounts)
        self.seen = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
        if "--build" in argv:
            (objects / "bin").mkdir()
            for name in LIBRARIES:
                (objects / "bin" / name).write_bytes(self.library)
        log.write_text("")


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    made = Tools(tmp_path)
    monkeypatch.setattr(llama, "run", made.run)
    return made


@pytest.mark.usefixtures("sdist")
def test_the_libraries_are_built_once_from_the_sources_that_count(
    tools: Tools, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    built = build_llama(out)
    assert {name: path.read_bytes() for name, path in built.items()} == dict.fromkeys(
        LIBRARIES, tools.library
    )
    assert tools.seen == {"CMakeLists.txt", "src/llama.cpp"}
    assert [argv[1] for argv in tools.asked] == ["-S", "--build"]
    assert {f"-D{name}={value}" for name, value in FLAGS.items()} <= set(tools.asked[0])
    assert build_llama(out) == built
    assert len(tools.asked) == 2


@pytest.mark.usefixtures("sdist")
def test_what_an_earlier_build_kept_is_taken_unless_it_may_not_be(
    tools: Tools, tmp_path: Path
) -> None:
    build_llama(tmp_path / "one")
    build_llama(tmp_path / "two")
    assert len(tools.asked) == 2
    build_llama(tmp_path / "three", cached=False)
    assert len(tools.asked) == 4


@pytest.mark.usefixtures("sdist")
@pytest.mark.parametrize("place", ["out", "cache"])
def test_a_damaged_library_is_not_taken(tools: Tools, tmp_path: Path, place: str) -> None:
    out = tmp_path / "out"
    build_llama(out)
    (kept,) = (tmp_path / "cache/sealroom/llama").iterdir()
    for folder in {"out": [out], "cache": [out, kept]}[place]:
        (folder / "libllama.so").write_bytes(b"other")
    assert build_llama(out)["libllama.so"].read_bytes() == tools.library
    assert len(tools.asked) == {"out": 2, "cache": 4}[place]


def test_another_flag_source_or_tool_is_another_build(
    sdist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {build_key(sdist), build_key(write_sdist(tmp_path / "other.tar.gz", {"a": b""}))}
    with monkeypatch.context() as patched:
        patched.setitem(FLAGS, "GGML_FMA", "OFF")
        keys.add(build_key(sdist))
    (tmp_path / "tools.json").write_text("[]")
    monkeypatch.setattr(llama, "TOOLS_LOCK", tmp_path / "tools.json")
    keys.add(build_key(sdist))
    assert len(keys) == 4


def test_the_key_does_not_depend_on_the_place(sdist: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere.tar.gz"
    copy.write_bytes(sdist.read_bytes())
    assert build_key(copy) == build_key(sdist)


def test_an_archive_without_llama_cpp_is_refused(tmp_path: Path) -> None:
    sdist = write_sdist(tmp_path / "s.tar.gz", {"llama_cpp_python-0/README": b""})
    with pytest.raises(LlamaError, match=r"wanted vendor/llama\.cpp in it"):
        unpack_sources(sdist, tmp_path / "src")


def test_a_library_that_needs_what_the_image_lacks_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    folder.mkdir()
    good = Tools(tmp_path).library
    (tmp_path / "other.c").write_text("int g(void) { return 2; }\n")
    make = ["cc", "-shared", "-fPIC", "-o", "libgomp.so", "other.c"]
    subprocess.run(make, cwd=tmp_path, check=True)
    bad = Tools(tmp_path, "-lm -Wl,--no-as-needed -L. -l:libgomp.so").library
    for name in LIBRARIES:
        (folder / name).write_bytes(good)
    check_libraries(folder)
    (folder / "libggml-cpu.so").write_bytes(bad)
    with pytest.raises(LlamaError, match=r"libggml-cpu\.so: wanted .* got \['libgomp\.so'\]"):
        check_libraries(folder)


def test_a_missing_library_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LlamaError, match=r"wanted libggml-base\.so, got none"):
        check_libraries(tmp_path)


@pytest.mark.usefixtures("sdist", "tools")
def test_the_command_prints_the_digests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path / "out")]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows == [[digest(tmp_path / "out" / name), name] for name in LIBRARIES]
    assert set(json.loads((tmp_path / "out" / llama.STAMP).read_text())) == {"key", *LIBRARIES}
