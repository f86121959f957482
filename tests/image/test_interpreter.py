# SPDX-License-Identifier: Apache-2.0
"""The root for the unit tests has every file of the image as it is, and never OpenSSL beside it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from image import cpio, interpreter
from image.interpreter import (
    ADDED_FILES,
    FOLDERS,
    INSIDE,
    LEFT_OUT,
    ROOMS,
    InterpreterError,
    check_fresh,
    inner_command,
    lay_root,
    main,
    make_task,
)
from image.layout import OURS, PACKAGES, STDLIB
from image.wheels import LOCK, parse_pins
from tests.image.debs import deb, tar

IMAGE = [
    *(cpio.folder(path) for path in ("usr", "usr/lib", "usr/lib/python3", PACKAGES, STDLIB)),
    cpio.folder(f"{PACKAGES}/guest"),
    cpio.file(f"{STDLIB}/abc.py", b"of the image"),
    cpio.file(f"{PACKAGES}/guest/door.py", b"of the image", 0o755),
    cpio.link("lib", "usr/lib"),
]

PINS = parse_pins(LOCK.with_name("test-wheels.txt").read_text())


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive, a package of the standard library, no wheels, and a checkout to stand in."""
    library = tar(
        (f"./{STDLIB}/abc.py", b"of the package"),
        (f"./{STDLIB}/unittest/case.py", b"not in the image"),
        (f"./{STDLIB}/lib-dynload/_hashlib.cpython-313.so", b"OpenSSL"),
        (f"./{STDLIB}/lib-dynload/_ssl.cpython-313.so", b"OpenSSL"),
        ("./usr/bin/pydoc3", b"no module"),
    )
    (tmp_path / "stdlib.deb").write_bytes(deb(library))
    monkeypatch.setattr(interpreter, "fetch", lambda _: {"stdlib": tmp_path / "stdlib.deb"})
    monkeypatch.setattr(interpreter, "fetch_wheels", lambda *_: {})
    (tmp_path / "checkout/guest").mkdir(parents=True)
    (tmp_path / "checkout/guest/door.py").write_bytes(b"of the image")
    monkeypatch.setattr(interpreter, "TEST_WHEELS", LOCK.with_name("test-wheels.txt"))
    monkeypatch.chdir(tmp_path / "checkout")
    (tmp_path / "initrd.cpio").write_bytes(cpio.write_cpio(IMAGE))
    return tmp_path / "initrd.cpio"


def test_the_files_of_the_image_stay_as_they_are(archive: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    assert lay_root(archive, root) == (2, 1 + len(ADDED_FILES) + len(PINS))
    for entry in IMAGE[6:8]:
        assert (root / entry.path).read_bytes() == entry.data
        assert (root / entry.path).stat().st_mode == entry.mode
    assert str((root / "lib").readlink()) == "usr/lib"
    assert (root / STDLIB / "unittest/case.py").read_bytes() == b"not in the image"


def test_openssl_is_not_added_for_the_tests(archive: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    lay_root(archive, root)
    assert list(root.rglob("_hashlib*")) == list(root.rglob("_ssl*")) == []


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize("text", [b"changed since", None])
def test_an_image_of_other_sources_is_refused(text: bytes | None) -> None:
    Path("guest/door.py").unlink()
    if text is not None:
        Path("guest/door.py").write_bytes(text)
    with pytest.raises(InterpreterError, match=r"guest/door\.py: wanted it as it is here"):
        check_fresh(IMAGE, Path())


def test_without_an_image_the_command_says_what_to_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").touch()
    assert main([]) == 1
    assert "python -m image.build" in capsys.readouterr().err


def test_a_module_that_the_image_does_without_lies_beside_and_none_of_its_own_is_replaced(
    archive: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    Path("attest").mkdir()
    Path("attest/lint.py").write_bytes(b"only a device runs it")
    lay_root(archive, root)
    assert (root / PACKAGES / "attest/lint.py").read_bytes() == b"only a device runs it"
    assert (root / PACKAGES / "guest/door.py").read_bytes() == b"of the image"


def test_the_tests_run_on_the_interpreter_of_the_root(tmp_path: Path) -> None:
    words = inner_command(tmp_path, tmp_path, make_task(["tests/wire"], []))
    begin = words.index("/usr/bin/python3.13")
    assert words[begin - 2 : begin] == ["chroot", "."]
    assert json.loads(words[-1])["checkout"] == "/build/checkout"
    assert "PYTHONPATH" not in " ".join(words)


def test_the_checkout_that_the_tests_see_has_no_package_of_the_image() -> None:
    assert not {Path(name).parts[0] for name in FOLDERS} & set(OURS)


def test_all_rooms_are_run_less_what_is_left_out_and_the_table_is_tried() -> None:
    task = make_task([], [])
    assert task["tests"][: len(ROOMS)] == list(ROOMS)
    assert {word.partition("=")[2] for word in task["tests"][len(ROOMS) :]} == set(LEFT_OUT)
    assert set(task["left_out"]) == set(LEFT_OUT)


def test_a_room_that_is_named_is_run_alone() -> None:
    task = make_task(["tests/wire"], ["-k", "chunk"])
    assert task["tests"][0] == "tests/wire"
    assert task["tests"][-2:] == ["-k", "chunk"]
    assert task["left_out"] == {}


def run_inside(folder: Path, **different: object) -> subprocess.CompletedProcess[str]:
    """The other side, with this interpreter, in a folder of a package and a test of its own."""
    task: dict[str, object] = {
        "checkout": str(folder),
        "packages": str(folder / "image"),
        "ours": ["ours"],
        "plugins": ["-q", "-p", "no:cacheprovider", "-c", "pytest.ini", "-m", "not slow"],
        "left_out": {},
        "tests": ["test_one.py"],
        **different,
    }
    command = ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-B"]
    command += ["-c", INSIDE.read_text(), json.dumps(task)]
    env = {
        "PATH": "/usr/sbin:/usr/bin:/bin",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": f"{folder / 'image'}:{folder}",
    }
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def inner(tmp_path: Path) -> Path:
    """A folder with a package in its image and a test of it."""
    (tmp_path / "image/ours").mkdir(parents=True)
    (tmp_path / "image/ours/__init__.py").touch()
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    (tmp_path / "test_one.py").write_text("import ours\ndef test_it(): pass\n")
    (tmp_path / "test_left.py").write_text("import nowhere\n")
    return tmp_path


def test_the_other_side_runs_the_tests_and_ends_as_they_do(inner: Path) -> None:
    ran = run_inside(inner)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "1 passed" in ran.stdout


def test_a_package_from_elsewhere_ends_the_run(inner: Path) -> None:
    (inner / "image/ours").rename(inner / "ours")
    ran = run_inside(inner)
    assert ran.returncode == 1
    assert f"ours: wanted it from {inner / 'image'}, got {inner / 'ours/__init__.py'}" in ran.stderr


def test_a_test_that_fails_as_the_table_says_is_left_out(inner: Path) -> None:
    says = {"test_left.py": "No module named 'nowhere'"}
    ran = run_inside(inner, left_out=says)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "nowhere" not in ran.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("import nowhere\n", "No module named 'numpy'"),
        ("def test_it(): pass\n", "No module named 'nowhere'"),
        ("import pytest\n@pytest.mark.slow\ndef test_it(): assert 'nowhere'\n", "nowhere"),
    ],
    ids=["fails for another reason", "passes", "would not be run"],
)
def test_a_row_that_is_not_needed_or_not_true_ends_the_run(
    inner: Path, content: str, says: str
) -> None:
    (inner / "test_left.py").write_text(content)
    ran = run_inside(inner, left_out={"test_left.py": says})
    assert ran.returncode == 1
    assert "test_left.py: wanted it to fail with" in ran.stderr


def test_what_is_left_out_is_there_to_be_left_out() -> None:
    for name in LEFT_OUT:
        path, _, test = name.partition("::")
        assert test in (Path(__file__).parents[2] / path).read_text()


def test_the_wheels_for_the_tests_are_none_of_the_image() -> None:
    locks = [LOCK, LOCK.with_name("test-wheels.txt")]
    ours, tests = ({pin.name for pin in parse_pins(lock.read_text())} for lock in locks)
    assert "pytest" in tests
    assert not ours & tests
