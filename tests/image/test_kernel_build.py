# SPDX-License-Identifier: Apache-2.0
"""A kernel is built again when anything it is made of changes, and not otherwise."""

import shutil
from pathlib import Path

import pytest

from image.kernel_build import DEBIAN, build, input_key
from image.kernel_source import KernelError, package_of, source_inputs, source_key

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what is read of the recipe, as the current folder."""
    for name in ("kernel", "acpi", "locks"):
        shutil.copytree(CHECKOUT / "image" / name, tmp_path / "image" / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write("# more\n")


def test_the_keys_of_the_variants_differ() -> None:
    keys = {input_key(variant) for variant in ("production", "test", "research", DEBIAN)}
    assert len(keys) == 4


@pytest.mark.parametrize(
    "path",
    [
        "image/locks/tools.json",
        "image/acpi/dsdt.asl",
        "image/kernel/sealroom/mock_tsm.c",
        "image/kernel/patches/0002-acpi-map-no-ram.patch",
        "image/kernel/config/60-hardening.config",
    ],
)
def test_every_input_is_in_the_key(recipe: Path, path: str) -> None:
    before = input_key("production")
    append(recipe / path)
    assert input_key("production") != before


def test_source_and_objects_of_other_tools_are_not_kept(recipe: Path) -> None:
    before = source_key()
    append(recipe / "image/locks/tools.json")
    assert source_key() != before


def test_a_fragment_is_not_in_the_key_of_the_source(recipe: Path) -> None:
    before = source_key()
    append(recipe / "image/kernel/config/60-hardening.config")
    assert source_key() == before


def test_a_fragment_of_another_variant_is_not_in_the_key(recipe: Path) -> None:
    production, test = input_key("production"), input_key("test")
    append(recipe / "image/kernel/config/test.config")
    assert input_key("production") == production
    assert input_key("test") != test


def test_a_patch_more_is_in_the_key(recipe: Path) -> None:
    before = input_key("production")
    (recipe / "image/kernel/patches/0009-more.patch").write_text("")
    assert input_key("production") != before


def test_patches_apply_in_the_order_of_their_numbers() -> None:
    names = [path.name for path in source_inputs() if path.suffix == ".patch"]
    assert names == sorted(names)
    assert len(names) == 3


def test_a_kernel_that_is_there_is_not_built_again(recipe: Path) -> None:
    folder = recipe / "out" / "production"
    folder.mkdir(parents=True)
    (folder / "bzImage").write_bytes(b"kernel")
    (folder / ".made").write_text(input_key("production"))
    assert build("production", recipe / "out").read_bytes() == b"kernel"
    assert sorted(path.name for path in (recipe / "out").iterdir()) == [".lock", "production"]


def test_a_lock_without_the_source_is_refused() -> None:
    with pytest.raises(KernelError, match="wanted one linux-sauce, got 0"):
        package_of("linux-sauce")
