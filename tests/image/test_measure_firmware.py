# SPDX-License-Identifier: Apache-2.0
"""Firmware without Secure Boot keys: variables are read strictly, and MRTD stays the same."""

import json
import struct
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.tdx.launch.mrtd import PageOrder, mrtd
from attest.tdx.launch.tdvf import parse_tdvf
from image import firmware, varstore
from image.errors import ImageError
from image.firmware import FirmwareError, without_keys
from image.varstore import VarstoreError, read_variables, without_variables
from tests.attest import ovmf
from tests.image import mrtd_by_search
from tests.image.debs import deb, tar

VENDOR = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
VOLUME_BYTES = 0x1000
HEADER_BYTES = 0x48
STORE_AT = HEADER_BYTES
FIRST = STORE_AT + 28
KEYS = tuple((name, f"data of {name}".encode("ascii")) for name in ("PK", "KEK", "db", "dbx"))
VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "launch" / "mrtd.json").read_text("utf-8")
)


def variable(name: str, data: bytes, *, state: int = 0x3F) -> bytes:
    """One variable as edk2 writes it, with its padding."""
    text = f"{name}\0".encode("utf-16-le")
    head = struct.pack(
        "<HBBIQ16sIII16s",
        *(0x55AA, state, 0, 0x27, 0, bytes(16), 0, len(text), len(data), VENDOR.bytes_le),
    )
    whole = head + text + data
    return whole + b"\xff" * (-len(whole) % 4)


def volume(*variables: bytes, size: int = VOLUME_BYTES) -> bytes:
    """A configuration volume with these in its store."""
    body = b"".join(variables)
    header = bytearray(HEADER_BYTES)
    struct.pack_into(
        "<16s16sQ4sIHH",
        header,
        0,
        *(bytes(16), varstore._NV_DATA, size, b"_FVH", 0x4FEFF, HEADER_BYTES, 0),
    )
    words = struct.unpack(f"<{HEADER_BYTES // 2}H", header)
    struct.pack_into("<H", header, 50, -sum(words) & 0xFFFF)
    store_bytes = size - HEADER_BYTES
    store = struct.pack("<16sIBBHI", varstore._AUTHENTICATED, store_bytes, 0x5A, 0xFE, 0, 0)
    return (bytes(header) + store + body).ljust(size, b"\xff")


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


FULL = volume(*(variable(*key) for key in KEYS))

# Of whole pages: the volume of variables at the start, the code behind it.
SECTIONS: tuple[ovmf.Row, ...] = (
    (0x1000, 0x2000, 0xFFFFE000, 0x2000, 0, 1),
    (0x0000, 0x1000, 0xFFFFD000, 0x1000, 1, 0),
    (0, 0, 0x809000, 0x2000, 2, 0),
)


def tdvf(cfv: bytes = FULL, sections: tuple[ovmf.Row, ...] = SECTIONS) -> bytes:
    """Firmware with this configuration volume."""
    size = 3 * ovmf.PAGE
    metadata = 0x1400
    return ovmf.image(
        ovmf.pointer(ovmf.TDX_METADATA, metadata, size),
        at={0: cfv, metadata - 16: mrtd_by_search.MARK[:16] + ovmf.tdvf_metadata(sections)},
        size=size,
    )


def test_variables_are_read_in_their_order() -> None:
    read = read_variables(FULL)
    assert [(item.name, item.data) for item in read] == list(KEYS)
    assert {item.vendor for item in read} == {VENDOR}


def test_without_them_the_volume_is_as_one_that_never_had_any() -> None:
    assert without_variables(FULL) == volume()
    assert without_variables(volume()) == volume()
    assert read_variables(volume()) == ()


def test_a_store_may_be_full() -> None:
    room = VOLUME_BYTES - FIRST
    whole = variable("x", bytes(room - len(variable("x", b""))))
    assert len(whole) == room
    assert without_variables(volume(whole)) == volume()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (FULL[:40], "volume at byte 0x0: wanted 52 bytes of header"),
        (FULL + b"\xff", "volume at byte 0x0: wanted one of variables, of the section's size"),
        (patched(FULL, 16, bytes(16)), "wanted one of variables, of the section's size"),
        (patched(FULL, 40, b"_FVX"), "wanted one of variables, of the section's size"),
        (patched(FULL, 48, b"\xff\xff"), "wanted a header within it"),
        (patched(FULL, 44, b"\0"), "wanted a header whose words add up to 0"),
        (patched(FULL, STORE_AT, bytes(16)), "wanted a healthy one of authenticated variables"),
        (patched(FULL, STORE_AT + 21, b"\xfc"), "wanted a healthy one of authenticated variables"),
        (patched(FULL, STORE_AT + 24, b"\1"), "wanted a healthy one of authenticated variables"),
        (patched(FULL, STORE_AT + 16, b"\xff\xff"), "wanted one that fits into its volume"),
        (volume(variable("PK", b"", state=0x3D)), "wanted one that is set, within its store"),
        (patched(FULL, FIRST + 40, b"\xff\xff\xff"), "wanted one that is set, within its store"),
        (patched(FULL, FIRST + 60, b"\0\xdc"), "wanted a name in UTF-16"),
        (patched(FULL, FIRST + 36, b"\4"), "wanted a name that ends with a NUL"),
        (patched(FULL, 0xFFF, b"\0"), "wanted nothing written behind the last variable"),
    ],
)
def test_another_volume_is_refused(data: bytes, problem: str) -> None:
    for read in (read_variables, without_variables):
        with pytest.raises(VarstoreError) as caught:
            read(data)
        assert problem in str(caught.value)


@given(at=st.integers(0, VOLUME_BYTES - 1), new=st.binary(min_size=1, max_size=8))
def test_any_volume_gives_variables_or_an_error(at: int, new: bytes) -> None:
    try:
        read_variables(patched(FULL, at, new)[:VOLUME_BYTES])
    except VarstoreError as error:
        assert "variable store" in str(error)


def test_firmware_keeps_its_mrtd_without_its_keys() -> None:
    image = tdvf()
    changed = without_keys(image)
    assert changed == volume() + image[VOLUME_BYTES:]
    for order in PageOrder:
        assert mrtd(parse_tdvf(changed), order) == mrtd(parse_tdvf(image), order)


def test_other_variables_are_something_to_look_at() -> None:
    more = volume(*(variable(*key) for key in KEYS), variable("BootOrder", b"\0\0"))
    with pytest.raises(FirmwareError, match=r"got .*'BootOrder'"):
        without_keys(tdvf(more))


def test_a_volume_that_is_measured_is_not_touched() -> None:
    measured = (SECTIONS[0], (*SECTIONS[1][:5], 1), SECTIONS[2])
    with pytest.raises(FirmwareError, match="wanted the same MRTD"):
        without_keys(tdvf(sections=measured))


def test_a_volume_elsewhere_is_refused() -> None:
    with pytest.raises(FirmwareError, match="wanted one configuration volume, at its start"):
        without_keys(tdvf(sections=(SECTIONS[0], SECTIONS[2])))


def test_what_is_no_tdvf_is_refused() -> None:
    with pytest.raises(FirmwareError, match="not built for TDX"):
        without_keys(ovmf.snp())


@pytest.mark.parametrize("order", PageOrder)
@pytest.mark.parametrize("image", [ovmf.clean_example(), tdvf()], ids=["clean", "minted"])
def test_mrtd_by_another_route_is_the_same(image: bytes, order: PageOrder) -> None:
    two_pass = order is PageOrder.BY_SECTION
    assert mrtd_by_search.mrtd(image, two_pass=two_pass) == mrtd(parse_tdvf(image), order)


def test_mrtd_of_the_clean_example_is_what_igvm_says() -> None:
    image = ovmf.clean_example()
    assert mrtd(parse_tdvf(image), PageOrder.BY_PAGE).hex() == VECTORS["clean_example"]


def package(path: str, data: bytes) -> bytes:
    """A package with one file."""
    return deb(tar((f"./{path}", data)))


def test_both_files_come_out_of_their_packages(tmp_path: Path) -> None:
    contents = {firmware.SNP_SOURCE: ovmf.snp(), firmware.TDX_SOURCE: tdvf()}
    packages = {}
    for (name, path), data in contents.items():
        packages[name] = tmp_path / f"{name}.deb"
        packages[name].write_bytes(package(path, data))
    files = firmware.build(packages)
    assert files == {"ovmf-amdsev.fd": ovmf.snp(), "ovmf-tdx.fd": without_keys(tdvf())}


def test_a_package_without_its_file_is_refused(tmp_path: Path) -> None:
    packages = {}
    for name in (firmware.SNP_SOURCE[0], firmware.TDX_SOURCE[0]):
        packages[name] = tmp_path / f"{name}.deb"
        packages[name].write_bytes(package("usr/share/doc/copyright", b"x"))
    with pytest.raises(ImageError, match="got no such file"):
        firmware.build(packages)
