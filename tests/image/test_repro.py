# SPDX-License-Identifier: Apache-2.0
"""A build elsewhere is other in each way that is meant, and what depends on one way is found."""

import os
import subprocess
from pathlib import Path

import pytest

from image.elsewhere import CLOCK_SHIFT_DAYS, ElsewhereError, elsewhere, interpreter
from image.kernel_config import VARIANTS
from image.overlay import Variant
from image.repro import KERNELS, PARTS, PROBE, Part, ReproError, compare, products, reproduce

pytestmark = pytest.mark.slow  # each builds twice

# A clock that runs ahead by FAKETIME's days, for as much of time(2) as Python uses.
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *at) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int got = real(id, at);
    const char *shift = getenv("FAKETIME");
    if (id == CLOCK_REALTIME && shift) at->tv_sec += atoll(shift) * 86400;
    return got;
}
"""

# A recipe of one module. Each line of what it makes depends on one thing, if it is asked to.
RECIPE = '''
"""Make build/image/toy/product."""
import os, sys, time
from pathlib import Path
asked = sys.argv[1]
out = Path("build/image/toy")
out.mkdir(parents=True)
depends = {
    "nothing": lambda: "the same",
    "path": os.getcwd,
    "user": os.getuid,
    "zone": lambda: time.strftime("%H:%M %Z", time.localtime(0)),
    "locale": lambda: os.environ.get("LC_ALL"),
    "seed": lambda: hash("sealroom"),
    "clock": lambda: time.time() // 86400,
    "cache": lambda: sorted(os.listdir(os.environ["XDG_CACHE_HOME"] + "/sealroom")),
}
(out / "product").write_text(f"first line\\n{asked} {depends.get(asked, str)()}\\n")
if asked == "umask":
    mode = (out / "product").stat().st_mode & 0o777
    (out / "product").write_text(f"first line\\numask {mode:o}\\n")
if asked == "names" and os.getcwd().endswith("another-place/with-a-longer-path/checkout"):
    (out / "other").write_text("only here")
'''


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clock")
    (folder / "clock.c").write_text(CLOCK)
    built = ["cc", "-shared", "-fPIC", "-o", "clock.so", "clock.c", "-ldl"]
    subprocess.run(built, cwd=folder, check=True)
    return folder / "clock.so"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the recipe, a cache beside it, and an ordinary environment."""
    root = tmp_path / "checkout"
    (root / "recipe").mkdir(parents=True)
    (root / "recipe/toy.py").write_text(RECIPE)
    for kept in ("debs", "python", "llama"):
        (tmp_path / "cache/sealroom" / kept).mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("LC_ALL", "C")
    return root


def build_twice(root: Path, clock: Path, asked: str) -> list[str]:
    parts = {"toy": Part((("recipe.toy", asked),), ("build/image/toy/*",), ("build/image/toy",))}
    return reproduce(root, ["toy"], parts, clock=clock, cache=root.parent / "cache/sealroom")


def test_what_depends_on_the_source_alone_is_identical(
    root: Path, clock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_twice(root, clock, "nothing") == []
    digest, name = capsys.readouterr().out.split()
    assert (len(digest), name) == (64, "build/image/toy/product")


@pytest.mark.parametrize("asked", ["path", "zone", "locale", "seed", "clock", "umask", "cache"])
def test_what_depends_on_the_place_is_found_and_explained(
    root: Path, clock: Path, asked: str
) -> None:
    found = build_twice(root, clock, asked)
    assert found[0].startswith("build/image/toy/product: the second has SHA-256 ")
    assert found[1] == "  @@ -2 +2 @@"
    assert found[2].startswith(f"  -{asked} ")
    assert found[3].startswith(f"  +{asked} ")
    kept = (root / "build/image/repro/build/image/toy/product").read_text()
    assert kept.splitlines()[1] == found[3].removeprefix("  +")


def test_what_depends_on_the_user_is_found_where_there_is_another(root: Path, clock: Path) -> None:
    # Only root may become another user.
    assert bool(build_twice(root, clock, "user")) == (os.getuid() == 0)


def test_an_artefact_of_one_build_only_is_found(root: Path, clock: Path) -> None:
    found = build_twice(root, clock, "names")
    assert "build/image/toy/other: only in the second build" in found


def test_nothing_that_was_built_goes_along_but_what_is_named(root: Path, clock: Path) -> None:
    (root / "build/image/toy").mkdir(parents=True)
    (root / "build/model").mkdir()
    (root / "build/model/gguf").write_text("weights")
    cache = root.parent / "cache/sealroom"
    with elsewhere(root, clock=clock, cache=cache, seeds=["build/model"]) as there:
        assert sorted(path.name for path in there.checkout.iterdir()) == ["build", "recipe"]
        assert [path.name for path in (there.checkout / "build").iterdir()] == ["model"]
        downloads = Path(there.environment["XDG_CACHE_HOME"]) / "sealroom"
        assert sorted(path.name for path in downloads.iterdir()) == ["debs", "python"]


def test_what_is_built_once_is_built_elsewhere_and_brought_here(root: Path, clock: Path) -> None:
    parts = {
        "base": Part((("recipe.toy", "path"),), ("build/image/toy/*",), ("build/image/toy",)),
        "rest": Part((("recipe.rest",),), ("build/image/rest",), ("build/image/rest",)),
    }
    (root / "recipe/rest.py").write_text(
        "import shutil\nshutil.copyfile('build/image/toy/product', 'build/image/rest')\n"
    )
    cache = root.parent / "cache/sealroom"
    assert reproduce(root, list(parts), parts, clock=clock, cache=cache, once=["base"]) == []
    for name in ("toy/product", "rest"):
        assert "/another-place/" in (root / "build/image" / name).read_text()


def test_a_clock_that_does_not_shift_is_an_error(root: Path) -> None:
    (root.parent / "none.so").write_bytes(b"")
    cache = root.parent / "cache/sealroom"
    with (
        elsewhere(root, clock=root.parent / "none.so", cache=cache) as there,
        pytest.raises(ElsewhereError, match=f"'days': {CLOCK_SHIFT_DAYS}.* got .*'days': 0"),
    ):
        there.tell()


def test_a_locale_that_is_not_there_is_an_error(root: Path, clock: Path) -> None:
    cache = root.parent / "cache/sealroom"
    with elsewhere(root, clock=clock, cache=cache) as there:
        there.environment["LC_ALL"] = "none_SUCH.utf8"
        with pytest.raises(ElsewhereError, match=r"wanted .* to work"):
            there.tell()


def test_an_artefact_of_neither_build_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "one").touch()
    part = Part(((),), ("one", "other"), ())
    with pytest.raises(ReproError, match="wanted other, got no such file"):
        products(tmp_path, [part])


def test_the_kernels_of_a_release_are_built_twice_and_no_others(tmp_path: Path) -> None:
    for name in VARIANTS:
        (tmp_path / f"build/image/kernel/{name}").mkdir(parents=True)
        (tmp_path / f"build/image/kernel/{name}/bzImage").touch()
    assert sorted(KERNELS) == sorted(Variant)
    assert [name for name in PARTS["kernel"].commands[0] if name in VARIANTS] == [*KERNELS, PROBE]
    found = products(tmp_path, [PARTS["kernel"]])
    assert sorted(found) == sorted(f"build/image/kernel/{name}/bzImage" for name in KERNELS)


def test_a_failing_command_is_an_error(root: Path, clock: Path) -> None:
    parts = {"toy": Part((("recipe.absent",),), ("*",), ("build",))}
    cache = root.parent / "cache/sealroom"
    with pytest.raises(ReproError, match=r"recipe\.absent: wanted exit 0"):
        reproduce(root, ["toy"], parts, clock=clock, cache=cache)
    with elsewhere(root, clock=clock, cache=cache) as there, pytest.raises(ElsewhereError):
        there.run(["-m", "recipe.absent"])


def test_a_machine_without_a_python_for_the_user_is_an_error() -> None:
    with pytest.raises(ElsewhereError, match="wanted a Python that uid"):
        interpreter(os.getuid(), ["/nonexistent/python3"])


def test_one_planted_byte_is_found(tmp_path: Path) -> None:
    for name, data in (("first", b"\0same"), ("second", b"\0samE")):
        (tmp_path / name).write_bytes(data)
    found = compare({"x": tmp_path / "first"}, {"x": tmp_path / "second"}, tmp_path / "kept")
    assert found[1:3] == ["  1 of the bytes of both differ; at 4:", "    65 / 45"]
    assert (tmp_path / "kept/x").read_bytes() == b"\0samE"
