# SPDX-License-Identifier: Apache-2.0
"""The qemu command line of a machine, which is data."""

from dataclasses import replace
from pathlib import Path

import pytest

from lab.vm.plan import Disk, MachinePlan, Places, qemu_arguments, vsock_arguments

PLAN = MachinePlan(
    kernel=Path("vmlinuz"),
    initrd=Path("initrd"),
    cmdline="quiet a.b=c",
    disks=(Disk(Path("model")), Disk(Path("config"))),
)
PLACES = Places(Path("folder"))


def pairs(plan: MachinePlan) -> list[tuple[str, str]]:
    words = qemu_arguments(plan, PLACES)
    return [
        (word, following)
        for word, following in zip(words, [*words[1:], ""], strict=True)
        if word.startswith("-")
    ]


def values(plan: MachinePlan, option: str) -> list[str]:
    return [value for word, value in pairs(plan) if word == option]


def test_the_processor_is_always_emulated() -> None:
    assert values(PLAN, "-accel") == ["tcg,thread=multi"]


def test_there_is_no_network_and_no_default_device() -> None:
    assert values(PLAN, "-nic") == ["none"]
    assert "-nodefaults" in qemu_arguments(PLAN, PLACES)


def test_kernel_initrd_and_command_line_are_given_as_they_are() -> None:
    given = [values(PLAN, option) for option in ("-kernel", "-initrd", "-append")]
    assert given == [["vmlinuz"], ["initrd"], ["quiet a.b=c"]]


def test_disks_come_in_their_order_and_are_read_only() -> None:
    files = [value for value in values(PLAN, "-blockdev") if "driver=file" in value]
    assert [value.split(",")[1] for value in files] == ["filename=model", "filename=config"]
    assert all("read-only=on" in value for value in values(PLAN, "-blockdev"))


def test_a_disk_may_be_writable_for_a_test() -> None:
    plan = replace(PLAN, disks=(Disk(Path("model"), read_only=False),))
    assert all("read-only=off" in value for value in values(plan, "-blockdev"))


def test_memory_is_shared_with_the_vsock_device() -> None:
    assert values(PLAN, "-object") == ["memory-backend-memfd,id=ram,size=1024M,share=on"]
    assert "vhost-user-vsock-pci,chardev=vsock" in values(PLAN, "-device")


def test_a_machine_may_be_without_vsock() -> None:
    assert "-chardev" not in qemu_arguments(replace(PLAN, vsock=False), PLACES)


def test_what_is_written_to_the_serial_port_is_kept_and_something_typed_only_if_wanted() -> None:
    assert values(PLAN, "-serial") == ["file:folder/serial.log"]
    plan = replace(PLAN, console=True)
    assert values(plan, "-serial") == ["chardev:console"]
    words = "socket,id=console,path=folder/console,server=on,wait=off,logfile=folder/serial.log"
    assert words in values(plan, "-chardev")


def test_firmware_clock_and_further_words_are_added_only_if_wanted() -> None:
    assert not {"-bios", "-rtc", "-acpitable"} & set(qemu_arguments(PLAN, PLACES))
    more = replace(
        PLAN, firmware=Path("fd"), clock="2001-01-01T00:00:00", extra=("-acpitable", "file=x")
    )
    added = [values(more, option) for option in ("-bios", "-rtc", "-acpitable")]
    assert added == [["fd"], ["base=2001-01-01T00:00:00"], ["file=x"]]


def test_a_comma_in_a_path_is_refused_because_it_would_be_an_option() -> None:
    plan = replace(PLAN, disks=(Disk(Path("model,read-only=off")),))
    with pytest.raises(ValueError, match="without a comma"):
        qemu_arguments(plan, PLACES)


def test_calls_of_the_guest_arrive_beside_the_socket_to_it() -> None:
    assert PLACES.port(5001) == Path("folder/vsock_5001")
    assert vsock_arguments(PLACES) == [
        "--vm",
        "guest-cid=42,socket=folder/vhost,uds-path=folder/vsock",
    ]
