# SPDX-License-Identifier: Apache-2.0
"""Exactly the two disks, no network, and a document without its padding."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.boot import devices
from guest.boot.devices import SECTOR_BYTES, Disk
from guest.boot.reasons import BootError, Reason
from guest.config import CONFIG_MAX_BYTES

MODEL_BYTES = 5 * SECTOR_BYTES + 1
GOOD = {"vda": Disk(6, read_only=True), "vdb": Disk(2, read_only=True)}


def refused(disks: dict[str, Disk], interfaces: tuple[str, ...] = ("lo",)) -> Reason:
    with pytest.raises(BootError) as caught:
        devices.verify(disks, interfaces, model_bytes=MODEL_BYTES)
    return caught.value.reason


@pytest.mark.parametrize("interfaces", [(), ("lo",)])
def test_the_two_disks_and_no_network_are_accepted(interfaces: tuple[str, ...]) -> None:
    devices.verify(GOOD, interfaces, model_bytes=MODEL_BYTES)


@pytest.mark.parametrize(
    "changed",
    [
        {"vdc": Disk(1, read_only=True)},
        {"vda1": Disk(1, read_only=True)},
        {"sda": Disk(1, read_only=True)},
        {"loop0": Disk(0, read_only=True)},
        {"vda": Disk(6, read_only=False)},
        {"vdb": Disk(2, read_only=False)},
        {"vda": Disk(5, read_only=True)},
        {"vda": Disk(7, read_only=True)},
        {"vdb": Disk(0, read_only=True)},
        {"vdb": Disk(CONFIG_MAX_BYTES // SECTOR_BYTES + 1, read_only=True)},
    ],
)
def test_another_disk_is_refused(changed: dict[str, Disk]) -> None:
    assert refused({**GOOD, **changed}) is Reason.DEVICES


@pytest.mark.parametrize("name", GOOD)
def test_a_disk_that_is_missing_is_refused(name: str) -> None:
    assert refused({n: d for n, d in GOOD.items() if n != name}) is Reason.DEVICES


def test_a_network_interface_is_refused() -> None:
    assert refused(GOOD, ("lo", "eth0")) is Reason.DEVICES


def test_a_document_comes_as_it_is_without_what_fills_its_sector() -> None:
    for size in (1, 511, 512, 513, CONFIG_MAX_BYTES):
        document = b"y" * size
        assert devices.parse_document(document + bytes(-size % SECTOR_BYTES)) == document


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(SECTOR_BYTES),
        b"y" * SECTOR_BYTES + bytes(SECTOR_BYTES),
        b"y",
        b"y\0y" + bytes(SECTOR_BYTES - 3),
        b"\0y" + bytes(SECTOR_BYTES - 2),
        b"y" * (CONFIG_MAX_BYTES + SECTOR_BYTES),
    ],
)
def test_another_filling_is_refused(data: bytes) -> None:
    with pytest.raises(BootError) as caught:
        devices.parse_document(data)
    assert caught.value.reason is Reason.DOCUMENT


@given(st.binary(max_size=2 * SECTOR_BYTES))
def test_whatever_is_accepted_fills_up_to_the_same_bytes_again(data: bytes) -> None:
    try:
        document = devices.parse_document(data)
    except BootError:
        return
    assert document + bytes(-len(document) % SECTOR_BYTES) == data


def test_what_the_kernel_knows_of_devices_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, disk in GOOD.items():
        folder = tmp_path / "block" / name
        folder.mkdir(parents=True)
        (folder / "size").write_text(f"{disk.sectors}\n")
        (folder / "ro").write_text(f"{int(disk.read_only)}\n")
    (tmp_path / "net" / "lo").mkdir(parents=True)
    monkeypatch.setattr(devices, "BLOCK", tmp_path / "block")
    monkeypatch.setattr(devices, "NETWORK", tmp_path / "net")
    assert devices.look() == (GOOD, ["lo"])


def test_a_disk_is_a_node_and_never_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "NODES", tmp_path)
    (tmp_path / "vdb").write_bytes(b"y" + bytes(SECTOR_BYTES - 1))
    assert devices.read_document() == b"y"
    (tmp_path / "vda").symlink_to("vdb")
    with pytest.raises(OSError, match="symbolic links"):
        devices.open_disk("vda")
