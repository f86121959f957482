# SPDX-License-Identifier: Apache-2.0
"""The start self-test: each row held against what real kernels answer, good and bad."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attest.statement import LACKING_MAX, LACKING_MAX_CHARACTERS
from guest import sandbox, selftest
from guest.environment import ENVIRONMENT
from guest.journal import Unit
from guest.readings import Nothing, Reading, read
from guest.selftest_rows import (
    CLOCK_MAX_S,
    LOCKED_MIN_BYTES,
    OF_THE_KERNEL,
    OF_THIS_PROCESS,
    RELEASED_S,
    ROWS,
    Row,
    word,
)

ABSENT, UNREADABLE = Nothing.ABSENT, Nothing.UNREADABLE

# What the command line of our image says, what a Debian cloud kernel's says, a Firecracker's.
HARDENED = (
    "initrd=initrd lockdown=confidentiality init_on_alloc=1 init_on_free=1 slab_nomerge "
    "mitigations=auto,nosmt random.trust_cpu=1 random.trust_bootloader=0 debugfs=off\n"
)
DEBIAN = "BOOT_IMAGE=/boot/vmlinuz-6.12.57+deb13-cloud-amd64 root=UUID=0 ro console=ttyS0\n"
FIRECRACKER = "mitigations=auto console=ttyS0 quiet reboot=k panic=1 nomodule random.trust_cpu=1\n"
# Lines of configurations: Debian 13 has the one default, a kernel of our own both.
DEBIAN_CONFIG = "CONFIG_INIT_ON_ALLOC_DEFAULT_ON=y\n# CONFIG_INIT_ON_FREE_DEFAULT_ON is not set\n"
OWN_CONFIG = "CONFIG_INIT_ON_ALLOC_DEFAULT_ON=y\nCONFIG_INIT_ON_FREE_DEFAULT_ON=y\n"

SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
CPU = "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu rdrand sse rdseed avx2\n"
LITERAL = "LANG=C.UTF-8\0PATH=/nonexistent\0HOME=/nonexistent\0"
OWN_PYTHON = "isolated=1 no_site=1 site=0"

# For each row: readings that are good, readings that are not. One of one file stands bare.
Case = tuple[tuple[object, ...], tuple[object, ...]]
CASES: dict[str, Case] = {
    "proc-mounted": (("0x9fa0",), ("0x1021994", ABSENT)),
    "sys-mounted": (("0x62656572",), ("0x1021994", ABSENT)),
    "kernel-version": (
        ("6.7.0\n", "6.12.57+deb13-cloud-amd64\n", "6.18.44-fc-v657\n", "10.0.1\n"),
        ("6.6.87\n", "5.15.0-1075-aws\n", "4.4.0\n", "six\n", "6\n", ABSENT),
    ),
    "swap-off": (
        (SWAPS, ABSENT),
        (
            SWAPS + "/dev/vda2 partition\t1048572\t0\t-2\n",
            SWAPS + "/dev/zram0 partition\t9\t0\t100\n",
        ),
    ),
    "core-pattern": (
        ("core\n", "/nonexistent/core\n", ABSENT),
        (
            "|/usr/share/apport/apport -p%p -s%s\n",
            "|/usr/lib/systemd/systemd-coredump %P %u\n",
            "@/run/systemd/coredump.socket\n",
        ),
    ),
    "suid-dumpable-off": (("0\n",), ("1\n", "2\n", ABSENT)),
    "ptrace-scope": (("1\n", "2\n", "3\n"), ("0\n", "4\n", ABSENT)),
    "kexec-off": (("1\n", ABSENT), ("0\n",)),
    "crash-kernel-off": (("0\n", ABSENT), ("1\n",)),
    "hibernation-off": (
        ("freeze mem\n", "\n", ABSENT),
        ("freeze mem disk\n", "disk\n"),
    ),
    "lockdown": (
        ("none integrity [confidentiality]\n",),
        ("none [integrity] confidentiality\n", "[none] integrity confidentiality\n", ABSENT),
    ),
    "modules-off": (("1\n", ABSENT), ("0\n",)),
    "sysrq-off": (("0\n", ABSENT), ("1\n", "176\n", "438\n")),
    "userfaultfd-off": (("0\n", ABSENT), ("1\n",)),
    "io-uring-off": (("2\n", ABSENT), ("0\n", "1\n")),
    "page-merging-off": (("0\n", ABSENT), ("1\n", "2\n")),
    "init-on-free": (
        ((HARDENED, ABSENT), (HARDENED, DEBIAN_CONFIG), (FIRECRACKER, OWN_CONFIG)),
        (
            (DEBIAN, ABSENT),
            (DEBIAN, DEBIAN_CONFIG),
            ("init_on_free=0\n", OWN_CONFIG),
            ("init_on_free=1 init_on_free=0\n", ABSENT),
            (ABSENT, OWN_CONFIG),
        ),
    ),
    "init-on-alloc": (
        ((HARDENED, ABSENT), (DEBIAN, DEBIAN_CONFIG), (FIRECRACKER, OWN_CONFIG)),
        ((DEBIAN, ABSENT), ("init_on_alloc=0\n", DEBIAN_CONFIG), (DEBIAN, UNREADABLE)),
    ),
    "random-ready": (("ready",), ("not ready",)),
    "random-instructions": (
        (CPU, CPU * 2),
        (CPU.replace("rdseed", ""), CPU + CPU.replace("rdrand ", ""), "processor: 0\n", "", ABSENT),
    ),
    "random-trusts-processor": ((HARDENED, DEBIAN), ("random.trust_cpu=off\n", ABSENT)),
    "random-distrusts-host": (
        (HARDENED, "random.trust_bootloader=off\n"),
        (DEBIAN, FIRECRACKER, "random.trust_bootloader=on\n", ABSENT),
    ),
    "clock-source": (
        ("tsc\n",),
        ("tsc-early\n", "kvm-clock\n", "hyperv_clocksource_tsc_page\n", ABSENT),
    ),
    "clock-monotonic": (("1058000", "1"), ("0", "-1058000", "99999999999999", "")),
    "clock-plausible": (
        (str(RELEASED_S), str(CLOCK_MAX_S - 1)),
        (str(RELEASED_S - 1), str(CLOCK_MAX_S), "0", "-1", "9" * 5000),
    ),
    "configfs-mounted": (("0x62656570",), ("0x62656572", ABSENT)),
    "tsm-provider": (("sev_guest 0", "sev_guest 2", "tdx_guest"), ("sample", "", ABSENT)),
    "tsm-privilege-level": (("sev_guest 0", "tdx_guest"), ("sev_guest 1", "sev_guest", ABSENT)),
    "environment-literal": (
        (LITERAL, "HOME=/nonexistent\0LANG=C.UTF-8\0PATH=/nonexistent\0"),
        (
            "",
            LITERAL + "LD_PRELOAD=/x.so\0",
            LITERAL + "LANG=C.UTF-8\0",
            LITERAL.replace("PATH=/nonexistent", "PATH=/usr/bin"),
            LITERAL.removesuffix("\0"),
            ABSENT,
        ),
    ),
    "no-arguments": (("0",), ("1", "6")),
    "python-isolated": (
        (OWN_PYTHON, "isolated=1 no_site=0 site=1"),
        ("isolated=0 no_site=1 site=0",),
    ),
    "python-without-site": (
        (OWN_PYTHON,),
        ("isolated=1 no_site=0 site=1", "isolated=1 no_site=1 site=1"),
    ),
    "no-core-limit": (("0 0",), ("0 -1", "-1 -1", "1 1", "0 1024")),
    "memory-lock": (
        (f"{LOCKED_MIN_BYTES} {LOCKED_MIN_BYTES}", "8388608 8388608", "-1 -1"),
        ("0 0", "65535 -1", "", "-2 0"),
    ),
}
BY_NAME = {row.name: row for row in ROWS}


def readings(case: object) -> tuple[Reading, ...]:
    return case if isinstance(case, tuple) else (case,)


def params(good: bool) -> list[tuple[str, object]]:
    return [(name, case) for name, cases in CASES.items() for case in cases[not good]]


def test_each_row_is_tested_both_ways_and_is_of_one_name() -> None:
    assert [row.name for row in ROWS] == list(CASES)
    assert all(good and bad for good, bad in CASES.values())
    assert len(BY_NAME) == len(ROWS)


@pytest.mark.parametrize(("name", "case"), params(good=True))
def test_what_a_good_kernel_says_holds(name: str, case: object) -> None:
    assert BY_NAME[name].holds(*readings(case)) is True


@pytest.mark.parametrize(("name", "case"), params(good=False))
def test_what_another_kernel_says_does_not_hold(name: str, case: object) -> None:
    assert BY_NAME[name].holds(*readings(case)) is False


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_cannot_be_read_is_failing(row: Row) -> None:
    assert row.holds(*[UNREADABLE] * len(row.reads)) is False


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_says_what_it_keeps_out_and_reads_something(row: Row) -> None:
    assert row.why
    assert row.reads


@settings(max_examples=25)
@given(text=st.text(max_size=200))
def test_any_text_is_judged(text: str) -> None:
    for row in ROWS:
        assert row.holds(*[text] * len(row.reads)) in (True, False)


def test_only_the_rows_that_do_not_hold_are_named_and_they_are_sorted() -> None:
    rows = (BY_NAME["swap-off"], BY_NAME["io-uring-off"], BY_NAME["kexec-off"])
    swapped = SWAPS + "/dev/vda2 partition\t1048572\t0\t-2\n"
    by_reading: dict[str, Reading] = {
        rows[0].reads[0]: swapped,
        rows[1].reads[0]: "0\n",
        rows[2].reads[0]: "1\n",
    }
    assert selftest.failing(by_reading, rows) == ("io-uring-off", "swap-off")


def test_the_names_fit_into_a_statement() -> None:
    names = {*BY_NAME, *sandbox.missing()}
    assert len(names) <= LACKING_MAX
    assert all(len(name) <= LACKING_MAX_CHARACTERS for name in names)
    assert len(ROWS) <= Unit.INDEX.value[1] + 1


def test_the_rows_of_the_kernel_and_of_the_process_are_all_rows() -> None:
    assert (*OF_THE_KERNEL, *OF_THIS_PROCESS) == ROWS


@pytest.mark.parametrize(
    ("cmdline", "value"),
    [
        ("a b=1", "1"),
        ("b=1 b=2\n", "2"),
        ("b= c", ""),
        ("xb=1", None),
        ("b", None),
    ],
)
def test_the_last_word_of_the_command_line_counts(cmdline: str, value: str | None) -> None:
    assert word(cmdline, "b") == value


def test_the_environment_of_the_children_is_the_literal_one() -> None:
    written = "".join(f"{name}={value}\0" for name, value in ENVIRONMENT.items())
    assert BY_NAME["environment-literal"].holds(written)


def test_on_this_host_every_row_can_be_read_and_judged() -> None:
    names = {name for row in ROWS for name in row.reads}
    found = read(names)
    assert found.keys() == names
    failed = selftest.failing(found)
    assert set(failed) <= BY_NAME.keys()
    # pytest is no guest: it has arguments, an environment and site-packages.
    assert {"no-arguments", "environment-literal", "python-without-site"} <= set(failed)
    assert not {"proc-mounted", "random-ready"} & set(failed)


def test_lacking_is_what_the_sandbox_and_the_self_test_miss(
    capfd: pytest.CaptureFixture[str],
) -> None:
    lacking = selftest.lacking()
    assert lacking == tuple(sorted(set(lacking)))
    assert set(lacking) == {*sandbox.missing(), *selftest.failing()}
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert {line["event"] for line in lines} == {"selftest-failed"}
    told = [ROWS[line["row"]].name for line in lines]
    assert sorted(told) == [name for name in lacking if name in BY_NAME]
