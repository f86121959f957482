# SPDX-License-Identifier: Apache-2.0
"""`sealroom measure` and `sealroom explain`: what is printed of a launch, and of a difference."""

import json
from pathlib import Path
from typing import Any

import pytest

from attest.evidence import parse_evidence
from attest.snp.launch import explain as snp_explain
from lab.mocktsm import tdx_quote
from sealroom import cli_measure
from sealroom.cli import main
from tests.attest import ovmf
from tests.attest.tdx.launch import pe
from tests.sealroom.guest import Guest

Capture = pytest.CaptureFixture[str]
CMDLINE = "console=ttyS0 quiet"
DIFFERENT = 30
UNREADABLE = 65


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a guest's files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(snp_explain, "VCPUS_TRIED", 8)  # a search that ends soon
    files = {"snp.fd": ovmf.snp(), "tdx.fd": ovmf.tdx(), "kernel": pe.mint(), "initrd": b"initrd"}
    for name, data in files.items():
        Path(name).write_bytes(data)
    return tmp_path


def snp(*more: str, vcpus: str = "4", cmdline: str = CMDLINE) -> list[str]:
    """A command that measures for SEV-SNP."""
    boot = ["--kernel", "kernel", "--initrd", "initrd", "--cmdline", cmdline]
    return ["measure", "snp", "--firmware", "snp.fd", *boot, "--vcpus", vcpus, *more]


def tdx(*more: str, cmdline: str = CMDLINE) -> list[str]:
    """A command that measures for TDX."""
    boot = ["--kernel", "kernel", "--initrd", "initrd", "--cmdline", cmdline]
    return ["measure", "tdx", "--firmware", "tdx.fd", *boot, *more]


MILAN = ("--vcpu-type", "EPYC-Milan")


def run(command: list[str], capsys: Capture, code: int = 0) -> str:
    """What a command prints on stdout."""
    assert main(command) == code
    return capsys.readouterr().out


def told(command: list[str], capsys: Capture, code: int = 0) -> dict[str, Any]:
    """The object that a command prints with `--json`."""
    read: dict[str, Any] = json.loads(run([*command, "--json"], capsys, code))
    return read


def keep(name: str, command: list[str], capsys: Capture) -> str:
    """The name of a new file with what a command prints with `--json`."""
    Path(name).write_text(run([*command, "--json"], capsys))
    return name


def refusal(command: list[str], capsys: Capture, code: int = UNREADABLE) -> str:
    """What a command that fails says."""
    assert main(command) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_a_digest_stands_first_and_then_what_it_is_made_of(capsys: Capture) -> None:
    first, *lines = run(snp(*MILAN), capsys).splitlines()
    digest = told(snp(*MILAN), capsys)["values"]["launch digest"]
    assert first == f"launch digest  {digest}"
    assert lines[0] == "made of:"
    names = ("firmware", "kernel", "initrd", "command line", "vCPUs", "vCPU type", "first vCPU")
    for name in names:
        assert any(line.startswith(f"  {name} ") for line in lines), name


def test_all_of_a_launch_is_told_as_json(capsys: Capture) -> None:
    read = told(snp(*MILAN), capsys)
    assert (read["format"], read["platform"]) == ("sealroom-measurement/1", "sev-snp")
    assert read["launch"]["vcpus"] == 4
    assert read["launch"]["boot"]["cmdline"] == CMDLINE
    assert {item["name"] for item in read["inputs"]} > {"firmware", "kernel", "initrd"}


def test_registers_are_told(capsys: Capture) -> None:
    lines = run(tdx(), capsys).splitlines()
    values = told(tdx(), capsys)["values"]
    assert list(values) == ["mrtd", "rtmr1", "rtmr2", "rtmr3"]
    assert lines[4].startswith("rtmr0 is not foreseen")
    assert lines[:4] == [f"{name}  {value}" for name, value in values.items()]


def test_a_signature_stands_for_a_type(capsys: Capture) -> None:
    by_type = told(snp(*MILAN), capsys)
    assert told(snp("--vcpu-signature", "0xa00f11"), capsys) == by_type


def test_a_guest_may_boot_without_a_kernel(capsys: Capture) -> None:
    command = ["measure", "snp", "--firmware", "snp.fd", "--vcpus", "1", "--vmm", "ec2"]
    assert told(command, capsys)["launch"]["boot"] is None


def test_a_kernel_may_boot_without_an_initrd(capsys: Capture) -> None:
    command = ["measure", "snp", "--firmware", "snp.fd", "--vcpus", "1", "--kernel", "kernel"]
    boot = told([*command, *MILAN], capsys)["launch"]["boot"]
    assert boot["cmdline"] == ""
    assert boot["initrd"].startswith("e3b0c442")


def test_an_initrd_needs_a_kernel(capsys: Capture) -> None:
    command = ["measure", "snp", "--firmware", "snp.fd", "--vcpus", "1", "--initrd", "initrd"]
    assert refusal([*command, *MILAN], capsys) == (
        "sealroom: --kernel: wanted a file, if there is an initrd or a command line, got none\n"
    )


def test_qemu_needs_a_type_of_vcpu(capsys: Capture) -> None:
    assert refusal(snp(), capsys) == (
        "sealroom: --vcpu-type: wanted one of QEMU's types, or --vcpu-signature, got neither\n"
    )


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (snp("--vcpu-type", "EPYC-Venice"), "vCPU type: EPYC-Venice is not modelled"),
        (snp(*MILAN, "--guest-features", "0x801"), "bits 0x800 are not modelled"),
        (snp(*MILAN, "--firmware", "tdx.fd"), "it is not built for SEV-SNP"),
        (snp(*MILAN, vcpus="0"), "vCPUs: wanted 1 to 1024, got 0"),
        (tdx("--firmware", "snp.fd"), "it is not built for TDX"),
        (tdx("--kernel", "initrd"), "PE image: the image ends within its headers"),
        (tdx(cmdline="ä"), "wanted printable ASCII, not empty"),
    ],
)
def test_what_is_not_modelled_is_refused_by_name(
    command: list[str], problem: str, capsys: Capture
) -> None:
    said = refusal(command, capsys)
    assert said.startswith("sealroom: launch: wanted one that is modelled, got ")
    assert problem in said


def test_a_file_that_is_not_there_is_named(capsys: Capture) -> None:
    assert "wanted a file that can be read" in refusal(tdx("--initrd", "none"), capsys)


@pytest.mark.parametrize("number", ["x", "-1", "1_0", " 1", "0x" + "1" * 17, "٣"])
def test_a_number_has_one_spelling(number: str, capsys: Capture) -> None:
    assert "wanted a number such as 8 or 0x21" in refusal(snp(vcpus=number), capsys, code=1)


def test_what_is_as_expected_is_said_to_be(capsys: Capture) -> None:
    expected = keep("expected.json", snp(*MILAN), capsys)
    digest = json.loads(Path(expected).read_text())["values"]["launch digest"]
    for got in (expected, digest):
        assert run(["explain", expected, got], capsys) == "the measurement is the expected one\n"
    assert told(["explain", expected, digest], capsys)["same"] is True


def test_a_digest_is_explained_by_what_reproduces_it(capsys: Capture) -> None:
    expected = keep("expected.json", snp(*MILAN), capsys)
    other = told(snp("--vcpu-type", "EPYC-Genoa", vcpus="8"), capsys)
    digest = other["values"]["launch digest"]
    lines = run(["explain", expected, digest], capsys, DIFFERENT).splitlines()
    assert lines[:5] == [
        "the measurement is another one",
        "1. found: vCPUs, vCPU type; it gives exactly this digest",
        "   vCPUs: wanted 4, got 8",
        "   vCPU type: wanted 0xa00f11 (EPYC-Milan, EPYC-Milan-v1, EPYC-Milan-v2, EPYC-Milan-v3), "
        "got 0xa10f10 (EPYC-Genoa, EPYC-Genoa-v1, EPYC-Genoa-v2)",
        "it was expected of:",
    ]
    assert any(line.startswith("  kernel ") for line in lines[5:])


def test_an_explanation_is_told_as_json(capsys: Capture) -> None:
    expected = keep("expected.json", snp(*MILAN), capsys)
    read = told(["explain", expected, "00" * 48], capsys, DIFFERENT)
    assert read["same"] is False
    assert [item["proof"] for item in read["hypotheses"]] == ["possible"] * 4
    assert read["hypotheses"][0]["changes"] == [
        {"name": "command line", "expected": f'"{CMDLINE}"', "got": ""}
    ]
    assert "kernel" in {item["name"] for item in read["inputs"]}


def test_two_launches_are_compared(capsys: Capture) -> None:
    expected = keep("expected.json", snp(*MILAN), capsys)
    got = keep("got.json", snp(*MILAN, cmdline=f"{CMDLINE}\n"), capsys)
    lines = run(["explain", expected, got], capsys, DIFFERENT).splitlines()
    assert lines[1:3] == [
        "1. found: command line; both launches are known, and this is all that differs",
        f'   command line: wanted "{CMDLINE}", got "{CMDLINE}\\n"',
    ]


def test_two_tdx_launches_are_compared(capsys: Capture) -> None:
    expected = keep("expected.json", tdx(), capsys)
    got = keep("got.json", tdx("--load-options", "initrd-last"), capsys)
    read = told(["explain", expected, got], capsys, DIFFERENT)
    (change,) = read["hypotheses"][0]["changes"]
    assert (change["name"], change["got"]) == ("load options form", "initrd-last")


def test_launches_that_measure_the_same_do_not_differ(capsys: Capture) -> None:
    ec2 = ("--vmm", "ec2")
    expected = keep("expected.json", snp(*ec2), capsys)
    got = keep("got.json", snp(*ec2, *MILAN), capsys)
    assert told(["explain", expected, got], capsys)["same"] is True


def test_a_report_and_the_evidence_around_it_say_the_same(guest: Guest, capsys: Capture) -> None:
    expected = keep("expected.json", snp(*MILAN), capsys)
    Path("evidence.json").write_bytes(guest.evidence)
    Path("report.bin").write_bytes(parse_evidence(guest.evidence)[0].report)
    by_report = told(["explain", expected, "report.bin"], capsys, DIFFERENT)
    assert told(["explain", expected, "evidence.json"], capsys, DIFFERENT) == by_report


def test_a_quote_is_explained_register_by_register(capsys: Capture) -> None:
    expected = keep("expected.json", tdx(), capsys)
    values = told(tdx(cmdline=f"{CMDLINE} "), capsys)["values"]
    body = {name: bytes.fromhex(value) for name, value in values.items()}
    Path("quote.bin").write_bytes(tdx_quote.quote(body=body))
    read = told(["explain", expected, "quote.bin"], capsys, DIFFERENT)
    (hypothesis,) = read["hypotheses"]
    assert hypothesis["why"] == "it gives exactly this rtmr2"
    assert [change["name"] for change in hypothesis["changes"]] == ["command line"]


def test_a_file_of_another_build_is_tried(capsys: Capture) -> None:
    expected = keep("expected.json", snp(*MILAN), capsys)
    Path("initrd").write_bytes(b"another")
    other = keep("other.json", snp(*MILAN), capsys)
    digest = json.loads(Path(other).read_text())["values"]["launch digest"]
    command = ["explain", expected, digest, "--try", other, "--try", keep("t", tdx(), capsys)]
    (hypothesis,) = told(command, capsys, DIFFERENT)["hypotheses"]
    assert [change["name"] for change in hypothesis["changes"]] == ["initrd"]


@pytest.mark.parametrize("swap", [False, True])
def test_platforms_are_not_compared(swap: bool, capsys: Capture) -> None:
    names = [keep("snp.json", snp(*MILAN), capsys), keep("tdx.json", tdx(), capsys)]
    said = refusal(["explain", *(reversed(names) if swap else names)], capsys)
    assert "one is of SEV-SNP and the other is of TDX" in said


def test_a_launch_digest_is_not_of_tdx(capsys: Capture) -> None:
    expected = keep("expected.json", tdx(), capsys)
    said = refusal(["explain", expected, "00" * 48], capsys)
    assert "one is of SEV-SNP and the other is of TDX" in said


def test_what_was_edited_is_not_explained(capsys: Capture) -> None:
    expected = Path(keep("expected.json", snp(*MILAN), capsys))
    expected.write_text(expected.read_text().replace('"vcpus": 4', '"vcpus": 5'))
    said = refusal(["explain", str(expected), "00" * 48], capsys)
    assert "its values do not follow from its launch" in said


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{}", "wanted the format sealroom-measurement/1"),
        ("[]", "wanted an object"),
        ("{", "not JSON"),
        ('{"format": "sealroom-measurement/1"}', "launch: wanted a mapping"),
        (
            '{"format": "sealroom-measurement/1", "platform": "sev-snp", "launch": {}}',
            "launch: missing boot",
        ),
    ],
)
def test_what_is_no_measurement_is_refused(content: str, problem: str, capsys: Capture) -> None:
    Path("expected.json").write_text(content)
    said = refusal(["explain", "expected.json", "00" * 48], capsys)
    assert said.startswith("sealroom: expected.json: wanted a file of `measure --json`, got ")
    assert problem in said


@pytest.mark.parametrize("content", [b"", b"{}", bytes(1184), bytes(600)])
def test_what_is_no_measurement_of_any_form_is_refused(content: bytes, capsys: Capture) -> None:
    expected = keep("expected.json", snp(*MILAN), capsys)
    Path("got").write_bytes(content)
    said = refusal(["explain", expected, "got"], capsys)
    assert said.startswith("sealroom: got: wanted a measurement, evidence or digest, got ")


def test_an_error_is_told_as_json(capsys: Capture) -> None:
    read = told(["explain", "none", "none"], capsys, UNREADABLE)
    assert read["error"]["kind"] == "InputError"


def test_an_initrd_has_a_limit(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_measure, "INITRD_MAX_BYTES", 3)
    assert "initrd: wanted at most 3 bytes, got more" in refusal(snp(*MILAN), capsys)
