# SPDX-License-Identifier: Apache-2.0
"""Drafts of policies and their text: what is written reads back, and every field is explained."""

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from attest import FormatError, parse_evidence, read_policy
from attest.lint import lint, platform_gaps
from attest.policy import Policy
from attest.snp.policy import SnpPolicy
from attest.snp.product import ProductLine
from attest.snp.report import parse_report
from attest.tdx.policy import TdxPolicy
from sealroom.cli import main
from sealroom.errors import TrustFileError
from sealroom.policy_drafts import STRICT_LINES, strict
from sealroom.policy_file import digest, load_policy, load_roots
from sealroom.policy_text import COMMENTS, write_policy_text
from tests.attest.snp.evidence import FOLDER
from tests.sealroom.guest import Guest
from wire.yamldoc import Node, load_yaml

Capture = pytest.CaptureFixture[str]
TO_FILL_IN = {"models": "11", "prompts": "22", "configurations": "33"}
# Where a record's own fields need no sentence each: the one above them says enough.
TOGETHER = ("tcb", "firmware", "abi")
# What `attest.policy` imports with the first policy that has it.
LATE = {"SnpPolicy": SnpPolicy, "TdxPolicy": TdxPolicy}


def filled_in(lines: tuple[ProductLine, ...]) -> dict[str, Any]:
    document = strict(lines)
    document["snp"]["measurements"] = ["ab" * 48]
    document["snp"]["chips"] = ["cd" * 64]
    for name, byte in TO_FILL_IN.items():
        document["statement"][name] = [byte * 32]
    return document


def paths(record: type, prefix: str) -> set[str]:
    """The paths of a policy's fields as `COMMENTS` writes them."""
    found: set[str] = set()
    for field in fields(record):
        if field.name in {"format", "line"}:
            continue
        hint = get_type_hints(record, localns=LATE)[field.name]
        place = f"{prefix}{field.name}"
        found.add(place)
        inner = next((part for part in (hint, *get_args(hint)) if is_dataclass(part)), None)
        if inner is not None and not place.endswith(TOGETHER):
            many = "[]" if get_origin(hint) is tuple else ""
            found |= paths(inner, f"{place}{many}.")  # type: ignore[arg-type]  # a class
    return found


def test_every_field_of_a_policy_is_explained() -> None:
    assert paths(Policy, "") == COMMENTS.keys()


@pytest.mark.parametrize("lines", [STRICT_LINES, tuple(ProductLine)])
def test_what_is_written_reads_back(lines: tuple[ProductLine, ...]) -> None:
    document = strict(lines)
    text = write_policy_text(document, ("A title.", ""))
    assert load_yaml(text.encode(), what="draft") == document
    assert text.startswith("# A title.\n#\nformat: sealroom-policy/1\n")
    assert max(map(len, text.splitlines())) <= 110


def test_text_that_yaml_would_read_otherwise_is_quoted() -> None:
    document: dict[str, Node] = {"names": ["- a", "b: c", "# d", '"', "é\n"], "empty": []}
    text = write_policy_text(document, ())
    assert load_yaml(text.encode(), what="draft") == document


def test_a_strict_draft_is_refused_until_it_is_filled_in(tmp_path: Path) -> None:
    assert main(["policy", "init", "--output", str(tmp_path / "p.yaml")]) == 0
    with pytest.raises(TrustFileError, match="measurements is empty"):
        load_policy(str(tmp_path / "p.yaml"))
    with pytest.raises(FormatError, match="models is empty"):
        read_policy(filled_in(STRICT_LINES) | {"statement": strict(())["statement"]})


def test_a_strict_policy_leaves_nothing_open() -> None:
    assert lint(read_policy(filled_in(STRICT_LINES))) == ()


def test_on_milan_a_strict_policy_leaves_open_what_it_must() -> None:
    gaps = lint(read_policy(filled_in((ProductLine.MILAN,))))
    assert {gap.rule for gap in gaps} == {
        "ciphertext-hiding",
        "page-swap",
        "power-reading",
        "milan",
    }


def test_a_line_named_twice_stands_once() -> None:
    lines = [ProductLine.TURIN, ProductLine.TURIN]
    assert [product["line"] for product in strict(lines)["snp"]["products"]] == ["Turin"]


def test_a_pinned_policy_names_the_statements_digests(tmp_path: Path, guest: Guest) -> None:
    (tmp_path / "evidence.json").write_bytes(guest.evidence)
    options = ["--from", str(tmp_path / "evidence.json"), "--output", str(tmp_path / "p.yaml")]
    assert main(["policy", "init", *options]) == 0
    policy = load_policy(str(tmp_path / "p.yaml"))
    assert isinstance(policy, Policy)
    assert policy.statement.models == {guest.statement.model}
    assert policy.snp is not None
    assert policy.snp.measurements == {parse_evidence(guest.evidence)[0].report[0x90:0xC0]}


def pinned(path: Path, name: str) -> Path:
    form = ["--report", str(FOLDER / name / "report.bin"), "--cert", str(FOLDER / name / "vek.der")]
    assert main(["policy", "init", *form, "--output", str(path)]) == 0
    return path


def test_a_bare_reports_policy_has_its_own_digest(tmp_path: Path) -> None:
    one = load_policy(str(pinned(tmp_path / "a.yaml", "milan-virtee")))
    other = load_policy(str(pinned(tmp_path / "b.yaml", "turin-ms-tav")))
    assert digest(one) == digest(load_policy(str(tmp_path / "a.yaml"))) != digest(other)
    assert "stale-tcb" not in {gap.rule for gap in platform_gaps(other.snp, other.tdx)}


def test_a_pinned_policy_lists_the_chip_of_its_report(tmp_path: Path) -> None:
    policy = load_policy(str(pinned(tmp_path / "a.yaml", "turin-ms-tav")))
    chip_id = parse_report((FOLDER / "turin-ms-tav" / "report.bin").read_bytes()).chip_id
    assert policy.snp is not None
    assert policy.snp.chips == frozenset({chip_id})


def test_a_pinned_policy_lists_no_chip_for_a_report_that_hides_it(tmp_path: Path) -> None:
    report = bytearray((FOLDER / "milan-virtee" / "report.bin").read_bytes())
    report[0x1A0:0x1E0] = bytes(64)
    (tmp_path / "report").write_bytes(report)
    options = ["--report", str(tmp_path / "report")]
    options += ["--cert", str(FOLDER / "milan-virtee" / "vek.der")]
    assert main(["policy", "init", *options, "--output", str(tmp_path / "p.yaml")]) == 0
    policy = load_policy(str(tmp_path / "p.yaml"))
    assert policy.snp is not None
    assert {gap.rule for gap in platform_gaps(policy.snp, None)} >= {"any-chip", "masked-chip"}


def test_a_report_requested_by_the_host_cannot_be_pinned(tmp_path: Path, capsys: Capture) -> None:
    report = bytearray((FOLDER / "milan-virtee" / "report.bin").read_bytes())
    report[0x30:0x34] = b"\xff" * 4
    (tmp_path / "report").write_bytes(report)
    vek = str(FOLDER / "milan-virtee" / "vek.der")
    assert main(["policy", "init", "--report", str(tmp_path / "report"), "--cert", vek]) == 65
    assert "requested by the host" in capsys.readouterr().err


def test_a_certificate_of_another_product_is_refused(tmp_path: Path, capsys: Capture) -> None:
    der = (FOLDER / "milan-virtee" / "vek.der").read_bytes()
    (tmp_path / "vek").write_bytes(der.replace(b"Milan-B0", b"Venicean", 1))
    report = str(FOLDER / "milan-virtee" / "report.bin")
    options = ["--report", report, "--cert", str(tmp_path / "vek")]
    assert main(["policy", "init", *options]) == 10
    assert (
        "unsupported-product: wanted Milan, Genoa, Turin, got Venicean" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[]", "wanted format sealroom-policy/1"),
        ("format: other/1", "got other/1"),
        ("format: [a]", "got none"),
        ("format: sealroom-policy/1", "missing snp, statement"),
        ("a: &b c", "wanted strict YAML"),
        ("format: sealroom-trust/1", "wanted the keys"),
    ],
)
def test_another_file_is_no_policy(tmp_path: Path, text: str, wanted: str) -> None:
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(TrustFileError, match=wanted):
        load_policy(str(tmp_path / "p.yaml"))


def test_another_file_has_no_roots(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("pinned")
    with pytest.raises(TrustFileError, match="wanted a list"):
        load_roots(str(tmp_path / "r.yaml"))


def test_a_trust_file_can_be_linted(tmp_path: Path, guest: Guest, capsys: Capture) -> None:
    (tmp_path / "trust.yaml").write_bytes(guest.trust_file("https://relay.example"))
    assert main(["policy", "lint", "--json", str(tmp_path / "trust.yaml")]) == 0
    gaps = json.loads(capsys.readouterr().out)["gaps"]
    assert {"not-production", "smt", "no-crl"} <= {gap["rule"] for gap in gaps}
    assert main(["policy", "lint", "--strict", str(tmp_path / "trust.yaml")]) == 1
