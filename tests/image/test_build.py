# SPDX-License-Identifier: Apache-2.0
"""The command that builds the image: what it is asked, what it depends on, and how it ends."""

import ast
from pathlib import Path

import pytest

from image import build, layout
from image.build import Plan, main, recipe, tree_key
from image.model import Model
from image.overlay import Variant
from tests.image.parts import elf

HERE = Path(build.__file__).parent


def plan(out: Path, kernel: str = "hardened", sha256: str = "0" * 64) -> Plan:
    return Plan((Variant.TEST,), kernel, out, Model("m", sha256, 1), write_files=False)


def test_the_help_names_every_variant_and_kernel(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    told = capsys.readouterr().out
    assert end.value.code == 0
    assert all(word in told for word in [*Variant, *build.KERNELS, "--json", "--write-files"])


@pytest.mark.parametrize("arguments", [["--variant", "mock"], ["--kernel", "x"], ["more"]])
def test_another_word_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: python -m image.build" in capsys.readouterr().err


def test_a_model_that_is_not_there_ends_it_with_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--model", str(tmp_path / "none"), "--out", str(tmp_path)]) == 1
    assert "wanted a model" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_two_kernels_come_out_in_folders_of_their_own(tmp_path: Path) -> None:
    assert plan(tmp_path).release == tmp_path / "release"
    assert plan(tmp_path, "debian").release == tmp_path / "debian"


def test_debians_kernel_has_words_of_its_own(tmp_path: Path) -> None:
    own, debian = plan(tmp_path).cmdline(Variant.TEST), plan(tmp_path, "debian")
    assert debian.cmdline(Variant.TEST).endswith(own)
    assert debian.cmdline(Variant.TEST) != own


def imports(module: str) -> set[str]:
    """The modules of image/ that one of them imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((HERE / f"{module}.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "image":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("image."):
            found.add((node.module or "").split(".")[1])
    return {name for name in found if (HERE / f"{name}.py").is_file()}


def test_the_tree_is_made_again_when_a_module_that_makes_it_changes() -> None:
    reached, waiting = set[str](), ["layout", "wheels", "overlay", "reach", "modules", "research"]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting += imports(name) - reached
    assert {HERE / f"{name}.py" for name in reached} <= set(recipe())


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    (tmp_path / "libllama.so").write_bytes(elf(soname="libllama.so"))
    return tmp_path


def test_the_same_inputs_give_the_same_key(llama: Path) -> None:
    assert tree_key(plan(llama), llama) == tree_key(plan(llama, "debian"), llama)


def test_another_model_or_library_gives_another_key(llama: Path) -> None:
    keys = {tree_key(plan(llama), llama), tree_key(plan(llama, sha256="1" * 64), llama)}
    (llama / "libggml.so").write_bytes(elf(soname="libggml.so"))
    keys.add(tree_key(plan(llama), llama))
    assert len(keys) == 3


def test_the_locks_and_reasons_are_part_of_the_recipe() -> None:
    names = {path.name for path in recipe()}
    assert {"rootfs.json", "wheels.txt", "pyproject.toml", layout.LEFT_OUT.name} <= names
