# SPDX-License-Identifier: Apache-2.0
"""The licences of a release: of each package its own text, or no release."""

import tarfile
from pathlib import Path

import pytest

from image import licences
from image.licences import LicenceError, common, debian, python, written
from image.wheels import BINDING_PROJECT, WheelError
from tests.image import debs
from tests.image.parts import sdist, wheel

DOC = licences.DOC


def package(path: Path, *members: tarfile.TarInfo | tuple[str, bytes]) -> Path:
    """A .deb with these members."""
    path.write_bytes(debs.deb(debs.tar(*members)))
    return path


def link(path: str, target: str) -> tarfile.TarInfo:
    return debs.member(path, tarfile.SYMTYPE, target)


def test_a_package_of_debian_has_its_copyright_file(tmp_path: Path) -> None:
    zlib = package(tmp_path / "z", (f"./{DOC}/zlib1g/copyright", b"zlib's\n"))
    assert debian("zlib1g", {"zlib1g": zlib}) == "zlib's\n"


def test_a_package_may_have_that_of_another_one(tmp_path: Path) -> None:
    packages = {
        "libgcc-s1": package(tmp_path / "s1", link(f"./{DOC}/libgcc-s1", "gcc-14-base")),
        "gcc-14-base": package(tmp_path / "b", (f"./{DOC}/gcc-14-base/copyright", b"GCC's")),
    }
    assert debian("libgcc-s1", packages) == "GCC's"


def test_without_a_licence_there_is_no_text(tmp_path: Path) -> None:
    bare = package(tmp_path / "bare", (f"./{DOC}/other/copyright", b"x"))
    with pytest.raises(LicenceError, match="bare: wanted usr/share/doc/bare/copyright"):
        debian("bare", {"bare": bare})
    with pytest.raises(LicenceError, match="h2: wanted a licence"):
        python("h2", wheel(tmp_path / "h2.whl", {"h2.py": b"", "x.dist-info/METADATA": b"LICENSE"}))
    with pytest.raises(WheelError, match="vendor/llama"):
        python(BINDING_PROJECT, sdist(tmp_path / "l.tar.gz", {"LICENSE.md": b"MIT"}))


def test_every_licence_of_a_wheel_is_taken_and_nothing_else(tmp_path: Path) -> None:
    files = {
        "h2.py": b"code",
        "h2/LICENSE": b"of a module",
        "h2-1.dist-info/LICENSE": b"one",
        "h2-1.dist-info/licenses/LICENCE.txt": b"two",
        "h2-1.dist-info/licenses/NOTICE": b"three",
        "h2-1.dist-info/RECORD": b"no",
    }
    assert python("h2", wheel(tmp_path / "h2.whl", files)) == "one\n\ntwo\n\nthree"


def test_what_debians_texts_refer_to_is_taken_along(tmp_path: Path) -> None:
    place = f"./{licences.COMMON}"
    base = package(
        tmp_path / "b",
        (f"{place}/GPL-2", b"2"),
        (f"{place}/GPL-3", b"3"),
        link(f"{place}/GPL", "GPL-3"),
    )
    said = "See /usr/share/common-licenses/GPL-2. Or `/usr/share/common-licenses/GPL'."
    rows = list(common(said, base))
    assert [text for _, text in rows] == ["3", "2"]
    assert rows[1][0] == "/usr/share/common-licenses/GPL-2"
    with pytest.raises(LicenceError, match="common-licenses/LGPL-3, got no such file"):
        list(common("/usr/share/common-licenses/LGPL-3", base))


def test_the_same_text_stands_once() -> None:
    text = written([("libA 1", "the text\n"), ("libB 2", "the text\n"), ("libC 3", "mine\n")])
    assert text.count(b"the text") == 1
    assert b"libB 2" in text
    assert b"As libA 1." in text


@pytest.mark.image
def test_all_that_is_locked_has_a_licence() -> None:
    text = licences.licences().decode("utf-8")
    for words in (
        "GNU GENERAL PUBLIC LICENSE",
        "Apache License",
        "linux-image-6.12",
        "\nlibstdc++6 14",
        "\nllama-cpp-python 0.",
        "\nbusybox-static ",
        "\novmf-inteltdx ",
    ):
        assert words in text
    assert licences.licences().decode("utf-8") == text
