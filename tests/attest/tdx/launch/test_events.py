# SPDX-License-Identifier: Apache-2.0
"""The events of RTMR0, RTMR1 and RTMR2, by the digests that TPM event logs of real boots have."""

import hashlib
import json
from pathlib import Path
from uuid import UUID

import pytest

from attest.errors import UnsupportedError
from attest.tdx.launch.boot_variables import (
    MODELLED,
    SECURE_BOOT_VARIABLES,
    Shape,
    boot_option,
    rtmr0_events,
    variable_digest,
)
from attest.tdx.launch.events import (
    SEPARATOR,
    Event,
    LoadOptions,
    load_options,
    replay,
    rtmr1_events,
    rtmr2_events,
)

VECTORS = Path(__file__).parents[3] / "vectors" / "launch"
DEBIAN = json.loads((VECTORS / "debian.json").read_text(encoding="utf-8"))
SHAPE = Shape(
    td_hob=b"hob",
    cfv=b"cfv",
    acpi_loader=b"loader",
    acpi_rsdp=b"rsdp",
    acpi_tables=b"tables",
    boot_options=(b"first", b"second"),
)


def sha384(data: bytes) -> bytes:
    return hashlib.sha384(data).digest()


def test_a_register_is_a_chain() -> None:
    one, two = Event("one", sha384(b"1")), Event("two", sha384(b"2"))
    assert replay(()) == bytes(48)
    assert replay((one, two)) == sha384(sha384(bytes(48) + one.digest) + two.digest)


def test_rtmr1_of_a_debian_kernel_is_the_one_that_was_published() -> None:
    kernel = bytes.fromhex(DEBIAN["kernel_authenticode_sha384"])
    assert replay(rtmr1_events(kernel)).hex() == DEBIAN["rtmr1"]


def test_the_events_of_a_boot_have_the_digests_of_a_tpm_event_log() -> None:
    kernel, *events = rtmr1_events(b"k" * 48)
    assert kernel.digest == b"k" * 48
    assert [event.digest.hex()[:8] for event in events] == [
        "77a0dab2",
        "394341b7",
        "214b0bef",
        "0a2e01c8",
    ]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (LoadOptions.INITRD_FIRST, "initrd=initrd quiet\0"),
        (LoadOptions.INITRD_LAST, "quiet initrd=initrd\0"),
    ],
)
def test_the_firmware_names_the_initrd(form: LoadOptions, text: str) -> None:
    assert load_options("quiet", form) == text.encode("utf-16-le")
    options, initrd = rtmr2_events("quiet", form, b"i" * 48)
    assert options.digest == sha384(text.encode("utf-16-le"))
    assert initrd.digest == b"i" * 48


@pytest.mark.parametrize("cmdline", ["", "ä", "a\n", "a\tb"])
def test_a_command_line_that_firmware_may_change_is_refused(cmdline: str) -> None:
    with pytest.raises(UnsupportedError, match="wanted printable ASCII, not empty"):
        load_options(cmdline, LoadOptions.INITRD_FIRST)


def test_variables_that_are_empty_have_the_digests_of_event_logs() -> None:
    got = {name: variable_digest(name, of).hex()[:8] for name, of in SECURE_BOOT_VARIABLES}
    assert got == {
        "SecureBoot": "9dc3a1f8",
        "PK": "6f2e3cbc",
        "KEK": "d607c0ef",
        "db": "08a74f89",
        "dbx": "18cc6e01",
    }


def test_the_data_of_a_variable_count() -> None:
    name, vendor = SECURE_BOOT_VARIABLES[0]
    data = vendor.bytes_le + b"\x0a" + bytes(7) + b"\1" + bytes(7) + name.encode("utf-16-le")
    assert variable_digest(name, vendor, b"\1") == sha384(data + b"\1")


def test_a_boot_option_leads_to_a_file_in_a_volume() -> None:
    volume, file = UUID(int=1), UUID(int=2)
    path = b"\4\7\x14\0" + volume.bytes_le + b"\4\6\x14\0" + file.bytes_le + b"\x7f\xff\4\0"
    assert boot_option(0x109, "UiApp", volume, file) == (
        b"\x09\1\0\0" + bytes([len(path), 0]) + "UiApp\0".encode("utf-16-le") + path
    )


def test_rtmr0_has_its_events_in_the_order_of_the_firmware() -> None:
    events = rtmr0_events(SHAPE, MODELLED)
    assert [event.name for event in events] == [
        "TD HOB",
        "configuration volume",
        "SecureBoot",
        "PK",
        "KEK",
        "db",
        "dbx",
        "separator",
        "ACPI loader",
        "ACPI RSDP",
        "ACPI tables",
        "BootOrder",
        "Boot0000",
        "Boot0001",
    ]
    digests = {event.name: event.digest for event in events}
    assert digests["separator"] == SEPARATOR.digest
    assert digests["TD HOB"] == sha384(b"hob")
    assert digests["BootOrder"] == sha384(b"\0\0\1\0")
    assert digests["Boot0001"] == sha384(b"second")


def test_rtmr0_of_other_firmware_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match="got edk2-stable202608: not modelled"):
        rtmr0_events(SHAPE, "edk2-stable202608")
