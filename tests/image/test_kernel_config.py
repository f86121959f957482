# SPDX-License-Identifier: Apache-2.0
"""What is asked of a kernel is written once, with a reason, and is compared with what came."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.kernel_config import (
    FRAGMENTS,
    VARIANTS,
    ConfigError,
    differences,
    load_requested,
    parse_fragment,
    parse_resolved,
    parse_symbols,
)

FRAGMENT = """\
# SPDX-License-Identifier: Apache-2.0
# What the file is for.

# Why.
CONFIG_A=y
CONFIG_B=n
"""


def test_a_fragment_says_symbols_and_values() -> None:
    assert parse_fragment(FRAGMENT) == {"CONFIG_A": "y", "CONFIG_B": "n"}


@pytest.mark.parametrize(
    "line",
    [
        "# CONFIG_C is not set is a comment to kconfig\nCONFIG_C =y",
        "CONFIG_C",
        "CONFIG_C=",
        "CONFIG_C=yes",
        " CONFIG_C=y",
        "CONFIG_C=y # why",
        'CONFIG_C="a"b"',
        "#CONFIG_C=y",
        "CONFIG_A=n",
    ],
)
def test_a_line_that_is_neither_assignment_nor_comment_is_refused(line: str) -> None:
    with pytest.raises(ConfigError):
        parse_fragment(FRAGMENT + line + "\n")


def test_a_group_without_a_reason_is_refused() -> None:
    with pytest.raises(ConfigError, match="wanted a reason above CONFIG_C=y"):
        parse_fragment(FRAGMENT + "\nCONFIG_C=y\n")


@given(st.text())
def test_any_text_is_a_fragment_or_refused(text: str) -> None:
    try:
        asked = parse_fragment(text)
    except ConfigError:
        return
    assert all(name.startswith("CONFIG_") for name in asked)


def test_a_symbol_in_two_numbered_fragments_is_refused(tmp_path: Path) -> None:
    for name in ("10-a.config", "20-b.config"):
        (tmp_path / name).write_text(FRAGMENT)
    with pytest.raises(ConfigError, match=r"20-b\.config"):
        load_requested("production", tmp_path)


def test_a_variant_says_a_symbol_again(tmp_path: Path) -> None:
    (tmp_path / "10-a.config").write_text(FRAGMENT)
    (tmp_path / "test.config").write_text("# Why.\nCONFIG_B=y\n")
    assert load_requested("test", tmp_path) == {"CONFIG_A": "y", "CONFIG_B": "y"}


def test_a_value_that_a_dependency_dropped_is_a_difference() -> None:
    assert differences({"CONFIG_A": "y"}, {}, ["CONFIG_A"]) == ["CONFIG_A: wanted y, got n"]


def test_a_default_that_came_back_is_a_difference() -> None:
    resolved = parse_resolved("# comment\nCONFIG_B=y\n# CONFIG_A is not set\n")
    assert differences({"CONFIG_B": "n"}, resolved, ["CONFIG_B"]) == ["CONFIG_B: wanted n, got y"]


def test_a_symbol_that_no_kernel_has_is_a_difference() -> None:
    assert differences({"CONFIG_SWOP": "n"}, {}, ["CONFIG_SWAP"]) == [
        "CONFIG_SWOP: no such symbol in this kernel"
    ]


def test_what_is_as_asked_makes_no_difference() -> None:
    requested = {"CONFIG_A": "y", "CONFIG_B": "n", "CONFIG_C": '"text"'}
    resolved = parse_resolved('CONFIG_A=y\nCONFIG_C="text"\nCONFIG_D=y\n')
    assert differences(requested, resolved, [*requested, "CONFIG_D"]) == []


def test_symbols_are_read_from_kconfig() -> None:
    text = "config A\n\tbool\nmenuconfig B1\n  config x_C\n# config NOT\nsource config\n"
    assert parse_symbols(text) == {"CONFIG_A", "CONFIG_B1", "CONFIG_x_C"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_fragments_of_every_variant_are_well_formed(variant: str) -> None:
    assert len(load_requested(variant, FRAGMENTS)) > 200


# What the claims of the image rest on; a fragment that loses one fails here, not in review.
REFUSED_EVERYWHERE = [
    *("SWAP", "HIBERNATION", "KEXEC", "KEXEC_FILE"),
    *("CRASH_DUMP", "COREDUMP", "PROC_KCORE", "PSTORE"),
    *("MODULES", "DEVMEM", "BPF_SYSCALL", "KPROBES"),
    *("FTRACE", "DEBUG_FS", "MAGIC_SYSRQ", "IO_URING"),
    *("USERFAULTFD", "CROSS_MEMORY_ATTACH", "USER_NS", "IA32_EMULATION"),
    *("X86_X32_ABI", "KSM", "INET", "PACKET"),
    *("NETDEVICES", "USB_SUPPORT", "VIRTIO_CONSOLE", "VIRTIO_BALLOON"),
    *("VIRTIO_INPUT", "VIRTIO_PCI_LEGACY", "NET_9P", "FUSE_FS"),
    *("FW_CFG_SYSFS", "DMI", "HOTPLUG_PCI", "ACPI_TABLE_UPGRADE"),
    *("ACPI_CONFIGFS", "TCG_TPM", "HW_RANDOM", "VT"),
    *("ACPI_PROCESSOR", "ACPI_HOTPLUG_MEMORY", "ACPI_APEI", "ACPI_SPCR_TABLE"),
    *("EFIVAR_FS", "EFI_RUNTIME_MAP", "MEMORY_HOTPLUG", "NUMA"),
    *("PCI_MMCONFIG", "PCIEPORTBUS", "PCIEASPM", "NVME_CORE"),
    *("VIRTIO_MEM", "VIRTIO_MMIO", "ATA", "SCSI"),
    *("INPUT", "SERIO", "WATCHDOG", "RTC_CLASS"),
    *("KALLSYMS", "STACKTRACE", "PID_NS", "FW_LOADER"),
]

WANTED_EVERYWHERE = [
    *("EFI_DISABLE_RUNTIME", "NULL_TTY", "LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY"),
    *("INIT_ON_ALLOC_DEFAULT_ON", "INIT_ON_FREE_DEFAULT_ON", "INIT_STACK_ALL_ZERO"),
    *("GCC_PLUGIN_STACKLEAK", "SLAB_FREELIST_HARDENED", "HARDENED_USERCOPY"),
    *("PANIC_ON_OOPS", "SECCOMP_FILTER", "SECURITY_LANDLOCK", "SEALROOM_ACPI_NO_RAM"),
    *("AMD_MEM_ENCRYPT", "INTEL_TDX_GUEST", "SEV_GUEST", "TDX_GUEST_DRIVER"),
]


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_kernel_may_have_what_the_claims_exclude(variant: str) -> None:
    asked = load_requested(variant, FRAGMENTS)
    assert {name: asked[f"CONFIG_{name}"] for name in REFUSED_EVERYWHERE} == dict.fromkeys(
        REFUSED_EVERYWHERE, "n"
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_kernel_has_what_the_claims_rest_on(variant: str) -> None:
    asked = load_requested(variant, FRAGMENTS)
    assert {name: asked[f"CONFIG_{name}"] for name in WANTED_EVERYWHERE} == dict.fromkeys(
        WANTED_EVERYWHERE, "y"
    )


def test_production_has_neither_the_mock_nor_a_serial_port() -> None:
    asked = load_requested("production", FRAGMENTS)
    assert (asked["CONFIG_SEALROOM_MOCK_TSM"], asked["CONFIG_SERIAL_8250"]) == ("n", "n")


def test_test_differs_from_production_in_the_mock_and_nothing_else() -> None:
    production = load_requested("production", FRAGMENTS).items()
    test = load_requested("test", FRAGMENTS).items()
    assert dict(test ^ production).keys() == {"CONFIG_SEALROOM_MOCK_TSM"}


def test_research_differs_from_test_in_the_console_and_nothing_else() -> None:
    test = load_requested("test", FRAGMENTS)
    research = load_requested("research", FRAGMENTS)
    other = {name: value for name, value in research.items() if test.get(name) != value}
    assert {name for name in other if not name.startswith("CONFIG_SERIAL_8250")} == set()
    on = {name for name, value in other.items() if value != "n"}
    assert on == {"CONFIG_SERIAL_8250", "CONFIG_SERIAL_8250_CONSOLE"}
    assert test.keys() <= research.keys()


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "probe"])
def test_every_kernel_that_is_released_runs_no_bytecode_but_its_own(variant: str) -> None:
    asked = load_requested(variant, FRAGMENTS)
    assert asked["CONFIG_ACPI_CUSTOM_DSDT_FILE"] == '"sealroom/dsdt.hex"'
    assert asked["CONFIG_SEALROOM_ACPI_BUILTIN_AML"] == "y"
    assert asked["CONFIG_SEALROOM_ACPI_NO_RAM"] == "y"
