# SPDX-License-Identifier: Apache-2.0
"""The root for the unit tests has every file of the image as it is, and never OpenSSL beside it."""

from pathlib import Path

import pytest

from image import cpio, interpreter
from image.interpreter import (
    ADDED_FILES,
    LEFT_OUT,
    InterpreterError,
    check_fresh,
    lay_root,
    main,
    pytest_command,
)
from image.layout import PACKAGES, STDLIB
from image.wheels import LOCK, parse_pins
from tests.image.debs import deb, tar

IMAGE = [
    *(cpio.folder(path) for path in ("usr", "usr/lib", "usr/lib/python3", PACKAGES, STDLIB)),
    cpio.folder(f"{PACKAGES}/guest"),
    cpio.file(f"{STDLIB}/abc.py", b"of the image"),
    cpio.file(f"{PACKAGES}/guest/door.py", b"of the image", 0o755),
    cpio.link("lib", "usr/lib"),
]


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
    monkeypatch.chdir(tmp_path / "checkout")
    (tmp_path / "initrd.cpio").write_bytes(cpio.write_cpio(IMAGE))
    return tmp_path / "initrd.cpio"


def test_the_files_of_the_image_stay_as_they_are(archive: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    assert lay_root(archive, root) == (2, 1 + len(ADDED_FILES))
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


def test_the_tests_run_on_the_interpreter_of_the_root(tmp_path: Path) -> None:
    words = pytest_command(tmp_path, tmp_path, ["tests/wire"])
    begin = words.index("/usr/bin/python3.13")
    assert words[begin - 2 : begin] == ["chroot", "."]
    assert words[-2:] == ["/build/checkout", "tests/wire"]
    assert "PYTHONPATH" not in " ".join(words)


def test_what_is_left_out_is_there_to_be_left_out() -> None:
    for name in LEFT_OUT:
        path, _, test = name.partition("::")
        assert test in (Path(__file__).parents[2] / path).read_text()


def test_the_wheels_for_the_tests_are_none_of_the_image() -> None:
    locks = [LOCK, LOCK.with_name("test-wheels.txt")]
    ours, tests = ({pin.name for pin in parse_pins(lock.read_text())} for lock in locks)
    assert "pytest" in tests
    assert not ours & tests
