# SPDX-License-Identifier: Apache-2.0
"""Exactly the two disks, no network, and a document without its padding."""

from pathlib import Path

import pytest

from attest.endorsements import ENDORSEMENTS_MAX_BYTES
from guest.boot import devices
from guest.boot.devices import Disk
from guest.boot.reasons import BootError, Reason
from guest.config import CONFIG_MAX_BYTES
from guest.sectors import SECTOR_BYTES

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


def test_a_bundle_is_there_if_the_document_names_it_and_else_not() -> None:
    bundle = {"vdc": Disk(9, read_only=True)}
    devices.verify({**GOOD, **bundle}, ("lo",), model_bytes=MODEL_BYTES, bundle=True)
    for disks, named in (({**GOOD, **bundle}, False), (GOOD, True)):
        with pytest.raises(BootError) as caught:
            devices.verify(disks, ("lo",), model_bytes=MODEL_BYTES, bundle=named)
        assert caught.value.reason is Reason.DEVICES


@pytest.mark.parametrize(
    "disk",
    [
        Disk(0, read_only=True),
        Disk(9, read_only=False),
        Disk(ENDORSEMENTS_MAX_BYTES // SECTOR_BYTES + 1, read_only=True),
    ],
)
def test_a_bundle_that_cannot_be_one_is_refused(disk: Disk) -> None:
    with pytest.raises(BootError) as caught:
        devices.verify({**GOOD, "vdc": disk}, (), model_bytes=MODEL_BYTES, bundle=True)
    assert caught.value.reason is Reason.DEVICES


def test_a_bundle_is_named_in_one_way() -> None:
    assert devices.names_bundle("/dev/vdc")
    assert not devices.names_bundle(None)
    for path in ("/dev/vdb", "/dev/vda", "/vdc", "/dev/vdc/x", "/etc/endorsements.json", ""):
        with pytest.raises(BootError) as caught:
            devices.names_bundle(path)
        assert caught.value.reason is Reason.DOCUMENT


def test_the_bundle_is_the_one_disk_that_others_may_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "NODES", tmp_path)
    for name in ("vda", "vdb", "vdc"):
        (tmp_path / name).touch(mode=0o600)
    devices.give_bundle()
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"vda": 0o600, "vdb": 0o600, "vdc": 0o444}


def test_a_document_that_is_filled_up_otherwise_is_refused() -> None:
    for data in (b"y", b"y" * SECTOR_BYTES + bytes(SECTOR_BYTES), bytes(SECTOR_BYTES)):
        with pytest.raises(BootError) as caught:
            devices.parse_document(data)
        assert caught.value.reason is Reason.DOCUMENT
    assert devices.parse_document(b"y" * SECTOR_BYTES) == b"y" * SECTOR_BYTES


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
