# SPDX-License-Identifier: Apache-2.0
"""Modules are loaded in the order of the image's list, and any but a missing platform's must."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from guest.boot import modules
from guest.boot.modules import ORDER_MAX_BYTES, SYS_FINIT_MODULE
from guest.boot.reasons import BootError, Reason
from tests.guest.boot.calls import Calls


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "order").write_text("configfs.ko\nsev-guest.ko\nvirtio_blk.ko\n")
    for name in ("configfs", "sev-guest", "virtio_blk"):
        (tmp_path / f"{name}.ko").write_text(name)
    return tmp_path


class Loader(Calls):
    """Remembers which file a descriptor was of."""

    @override
    def __call__(self, number: int, *arguments: int | bytes) -> int:
        fd, *rest = arguments
        assert isinstance(fd, int)
        return super().__call__(number, os.pread(fd, 64, 0), *rest)


def test_the_modules_are_loaded_in_their_order_without_parameters(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = Loader()
    monkeypatch.setattr(modules, "call", loader)
    modules.load_all(folder)
    names = (b"configfs", b"sev-guest", b"virtio_blk")
    assert loader.made == [(SYS_FINIT_MODULE, name, b"", 0) for name in names]


def test_a_driver_without_its_platform_is_passed_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = Loader(fails={b"sev-guest": errno.ENODEV})
    monkeypatch.setattr(modules, "call", loader)
    modules.load_all(folder)
    assert len(loader.made) == 3


def test_a_module_that_the_kernel_refuses_ends_the_machine(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = Loader(fails={b"sev-guest": errno.EPERM})
    monkeypatch.setattr(modules, "call", loader)
    with pytest.raises(BootError) as caught:
        modules.load_all(folder)
    assert (caught.value.reason, caught.value.code) == (Reason.MODULES, errno.EPERM)


def test_a_module_that_is_not_there_ends_the_machine(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "configfs.ko").unlink()
    monkeypatch.setattr(modules, "call", Loader())
    with pytest.raises(BootError) as caught:
        modules.load_all(folder)
    assert (caught.value.reason, caught.value.code) == (Reason.MODULES, errno.ENOENT)


def test_an_image_without_modules_loads_none(tmp_path: Path) -> None:
    modules.load_all(tmp_path / "none")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"a.ko",
        b"a.ko\n\n",
        b"a.ko\na.ko\n",
        b"../a.ko\n",
        b"a.ko \n",
        b"A.ko\n",
        b"a\n",
        b"a.ko\r\n",
        b"\xff.ko\n",
        b"".join(b"m%d.ko\n" % n for n in range(ORDER_MAX_BYTES // 7)),
    ],
)
def test_another_list_is_refused(data: bytes) -> None:
    with pytest.raises(BootError) as caught:
        modules.parse_order(data)
    assert caught.value.reason is Reason.MODULES


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        names = modules.parse_order(data)
    except BootError:
        return
    assert "".join(f"{name}\n" for name in names).encode() == data
