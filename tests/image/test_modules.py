# SPDX-License-Identifier: Apache-2.0
"""Modules of Debian's kernel: each after those that it needs, and PID 1 reads the list."""

import lzma
import struct
from pathlib import Path

import pytest

from guest.boot.modules import parse_order
from image import modules
from image.modules import ORDER, WANTED, ModuleError, depends, entries, in_order, unpack


def ko(*needs: str, info: bytes | None = None) -> bytes:
    """An ELF file with a section .modinfo that names what the module needs."""
    data = b"license=GPL\0depends=" + ",".join(needs).encode() + b"\0" if info is None else info
    names = b"\0.modinfo\0.shstrtab\0"
    rows = [(0, 0, 0), (1, 64, len(data)), (10, 64 + len(data), len(names))]
    table = b"".join(
        struct.pack("<IIQQQQIIQQ", name, 1, 0, 0, offset, size, 0, 0, 1, 0)
        for name, offset, size in rows
    )
    head = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01",
        *(1, 62, 1, 0, 0, 64 + len(data) + len(names), 0, 64, 0, 0, 64, len(rows), 2),
    )
    return head + data + names + table


def kernel(folder: Path, needs: dict[str, tuple[str, ...]]) -> Path:
    for name, others in needs.items():
        path = folder / "lib/modules/6.12/kernel" / f"{name}.ko.xz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lzma.compress(ko(*others)))
    return folder


NEEDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(WANTED, ()),
    "tsm": ("configfs",),
    "sev_guest": ("tsm",),
    "vmw_vsock_virtio_transport": ("vsock", "vmw_vsock_virtio_transport_common"),
    "vmw_vsock_virtio_transport_common": ("vsock",),
    "vsock": (),
    "idle": (),
}


def test_a_module_says_what_it_needs() -> None:
    assert depends(ko("vsock", "virtio-ring")) == ("vsock", "virtio_ring")
    assert depends(ko()) == ()


def test_a_module_that_does_not_say_it_is_refused() -> None:
    with pytest.raises(ModuleError, match="one row of dependencies, got 0"):
        depends(ko(info=b"license=GPL\0"))


def test_each_comes_after_those_that_it_needs() -> None:
    order = in_order(WANTED, NEEDS)
    for name in order:
        assert all(order.index(other) < order.index(name) for other in NEEDS[name])
    assert "idle" not in order


def test_two_that_need_each_other_are_refused() -> None:
    with pytest.raises(ModuleError, match="wanted an order"):
        in_order(("a",), {"a": ("b",), "b": ("a",)})


def test_pid_1_reads_the_list_of_what_lies_beside_it(tmp_path: Path) -> None:
    found = {entry.path: entry for entry in entries(kernel(tmp_path, NEEDS))}
    order = parse_order(found[ORDER].data)
    assert {f"{modules.FOLDER}/{name}" for name in order} == set(found) - {ORDER}
    assert found[f"{modules.FOLDER}/tsm.ko"].data == ko("configfs")


def test_a_dash_in_a_files_name_is_a_line_in_the_kernels(tmp_path: Path) -> None:
    needs = {name.replace("_", "-"): others for name, others in NEEDS.items()}
    assert ORDER in {entry.path for entry in entries(kernel(tmp_path, needs))}


def test_a_module_that_the_kernel_lacks_is_named(tmp_path: Path) -> None:
    lacking = {name: needs for name, needs in NEEDS.items() if name != "vsock"}
    with pytest.raises(ModuleError, match="vsock: wanted this module"):
        list(entries(kernel(tmp_path, lacking)))


def test_what_is_not_compressed_with_xz_is_refused() -> None:
    with pytest.raises(ModuleError, match="wanted xz"):
        unpack(b"\x7fELF")


def test_a_module_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "MODULE_MAX_BYTES", 8)
    with pytest.raises(ModuleError, match="fewer than 8 bytes"):
        unpack(lzma.compress(bytes(100)))
