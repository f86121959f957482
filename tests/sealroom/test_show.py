# SPDX-License-Identifier: Apache-2.0
"""`sealroom show`: every form is recognised and read, and what is unusual is marked."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError, SnpEndorsements, amd_roots, write_evidence
from attest.azure import HclHeader
from attest.evidence import Evidence
from attest.layout import cells
from attest.receipt import Ended, Fact, Kernel, Receipt, write_receipt
from attest.snp.certtable import ASK_GUID, CRL_GUID, VCEK_GUID, VLEK_GUID
from attest.snp.product import ProductLine
from attest.snp.report import ReportV5
from attest.statement import Platform, write_statement
from lab.mocktsm import MockSnp
from sealroom.cli import main
from sealroom.receipts import SignedReceipt
from sealroom.show import azure
from sealroom.show.certificates import line_of_vek
from sealroom.show.field import Field, Section, section_lines
from sealroom.show.forms import FORMS, explain
from sealroom.show.report_rows import ROWS
from tests.attest.snp.evidence import FOLDER, MANIFEST, load
from tests.attest.test_azure import GOOD
from tests.sealroom import test_show_tdx
from tests.sealroom.guest import KERNEL, Guest

MOCK = MockSnp(line="Genoa", version=5)
RECEIPT = Receipt(
    epoch=7,
    exchange=b"x" * 32,
    ended=Ended.EXITED,
    code=0,
    lived_ms=10,
    erased_ms=1,
    kernel=KERNEL,
)


def report(**changes: int | bytes) -> bytes:
    return MOCK.report(bytes(64), **changes)


def fields(data: bytes) -> dict[str, Field]:
    """All fields of all sections by name."""
    return {field.name: field for section in explain(data) for field in section.fields}


def unusual(data: bytes) -> dict[str, str]:
    return {name: field.unusual for name, field in fields(data).items() if field.unusual}


def table(*entries: tuple[UUID, bytes]) -> bytes:
    head, body = b"", b""
    start = 24 * (len(entries) + 1)
    for guid, der in entries:
        place = (start + len(body)).to_bytes(4, "little")
        head += guid.bytes + place + len(der).to_bytes(4, "little")
        body += der
    return head + bytes(24) + body


def pem(label: str, der: bytes) -> bytes:
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n".encode()


def signed(guest: Guest) -> bytes:
    return SignedReceipt(write_receipt(RECEIPT), b"s" * 64, guest.evidence).write()


ARK = amd_roots().amd[0].ark.certificate.der
EACH: dict[str, Callable[[Guest], bytes]] = {
    "PEM": lambda guest: pem("CERTIFICATE", ARK) + pem("X509 CRL", load("crl/milan.der")),
    "signed receipt": signed,
    "receipt": lambda guest: write_receipt(RECEIPT),
    "evidence object": lambda guest: guest.evidence,
    "statement": lambda guest: write_statement(guest.statement),
    "HCL report": lambda guest: GOOD,
    "certificate table": lambda guest: table((VCEK_GUID, MOCK.certificate)),
    "SEV-SNP report": lambda guest: report(),
    "certificate": lambda guest: ARK,
    "revocation list": lambda guest: load("crl/milan.der"),
}


@pytest.mark.parametrize("name", EACH)
def test_each_form_is_recognised(name: str, guest: Guest) -> None:
    data = EACH[name](guest)
    first = next(form for form in FORMS if form.looks(data))
    assert first.name == name
    assert all(section.fields for section in explain(data))


def test_there_is_an_example_of_each_form() -> None:
    assert EACH.keys() | test_show_tdx.EACH.keys() == {form.name for form in FORMS}


@pytest.mark.parametrize("item", MANIFEST["expected"], ids=lambda item: item["name"])
def test_a_real_reports_fields_are_shown(item: dict[str, str]) -> None:
    shown = fields(load(f"{item['name']}/report.bin"))
    assert shown["measurement"].value == item["measurement"]
    assert shown["version"].value == str(item["version"])
    assert shown["reported_tcb"].value.startswith(item["reported_tcb"])


def test_a_row_stands_for_every_field_of_the_layout() -> None:
    assert ROWS.keys() == cells(ReportV5).keys()
    assert azure.MEANS.keys() == cells(HclHeader).keys()


def test_offsets_are_the_layouts() -> None:
    shown = fields(report())
    assert {name: shown[name].at for name in ROWS} == {
        name: cell.offset for name, cell in cells(ReportV5).items()
    }


TURIN = MockSnp(line="Turin", version=5)
UP_TO_DATE = {
    name: bytes([1, 1, 1, 4, 0, 0, 0, 0x51])
    for name in ("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb")
}
VECTORS = {"launch_mit_vector": 1, "current_mit_vector": 1}
ODD: dict[str, tuple[str, dict[str, int | bytes], str]] = {
    "debugging": ("policy", {"policy": 0xB0000}, "may debug"),
    "migration": ("policy", {"policy": 0x70000}, "migration agent"),
    "a reserved bit": ("policy", {"policy": 1 << 40 | 0x30000}, "reserved"),
    "bit 17": ("policy", {"policy": 0x10000}, "bit 17"),
    "another level": ("vmpl", {"vmpl": 2}, "not the highest"),
    "the host": ("vmpl", {"vmpl": 0xFFFFFFFF}, "the host asked"),
    "BadRAM": ("platform_info", {"platform_info": 1}, "CVE-2024-21944"),
    "an unknown bit": ("platform_info", {"platform_info": 0x120}, "0x100"),
    "no key": ("flags", {"flags": 7 << 2}, "no key"),
    "a masked key": ("flags", {"flags": 2}, "not to use"),
    "a masked chip": ("chip_id", {"chip_id": bytes(64)}, "hidden"),
    "an agent": ("report_id_ma", {"report_id_ma": bytes(32)}, "bound"),
    "old firmware": (
        "reported_tcb",
        {"reported_tcb": bytes([1, 1, 1, 3, 0, 0, 0, 0x51])},
        "below the floor of AMD-SB-3020",
    ),
    "provisional firmware": (
        "committed_tcb",
        {"committed_tcb": bytes([0, 1, 1, 4, 0, 0, 0, 0x51])},
        "go back",
    ),
    "new firmware": (
        "launch_tcb",
        {"launch_tcb": bytes([0, 1, 1, 4, 0, 0, 0, 0x51])},
        "since launch",
    ),
    "another mitigation": ("current_mit_vector", {"current_mit_vector": 3}, "at launch"),
    "an unknown processor": ("cpuid_family", {"cpuid_model": 0x50}, "no processor"),
}


def test_an_ordinary_report_has_nothing_unusual() -> None:
    assert unusual(TURIN.report(bytes(64), **UP_TO_DATE, **VECTORS)) == {}


@pytest.mark.parametrize("what", ODD)
def test_what_is_unusual_in_a_report_is_marked(what: str) -> None:
    name, changes, says = ODD[what]
    found = unusual(TURIN.report(bytes(64), **{**UP_TO_DATE, **VECTORS, **changes}))
    assert found.keys() == {name}
    assert says in found[name]


def test_version_2_does_not_name_its_processor_but_its_certificate_does(guest: Guest) -> None:
    old = MockSnp(version=2).report(bytes(64))
    assert "does not name" in unusual(old)["version"]
    assert "not known" in fields(old)["reported_tcb"].value
    evidence = Evidence(
        platform=Platform.SEV_SNP, statement=write_statement(guest.statement), report=old
    )
    data = write_evidence(evidence, SnpEndorsements(vek=MockSnp().certificate, crl=None))
    assert "microcode" in fields(data)["reported_tcb"].value
    assert unusual(data)["binding"] == "the report vouches for something else"


def test_an_evidence_object_shows_its_binding_and_its_crl(guest: Guest) -> None:
    assert not fields(guest.evidence)["binding"].unusual
    evidence = Evidence(
        platform=Platform.SEV_SNP, statement=write_statement(guest.statement), report=report()
    )
    endorsements = SnpEndorsements(vek=MOCK.certificate, crl=load("crl/milan.der"))
    titles = [section.title for section in explain(write_evidence(evidence, endorsements))]
    assert titles[-1] == "revocation list of ARK-Milan, unverified"


def test_a_vek_that_cannot_be_read_names_no_line() -> None:
    assert line_of_vek(load("milan-virtee/vek.der")) is ProductLine.MILAN
    assert line_of_vek(ARK) is None


def test_a_research_image_is_marked(guest: Guest) -> None:
    assert unusual(write_statement(guest.statement)) == {"variant": "not the production image"}


def test_an_end_that_is_not_ordinary_is_marked() -> None:
    kernel = Kernel(init_on_free=Fact.OFF, swap=Fact.UNKNOWN, core_dumps=Fact.OFF)
    data = write_receipt(
        Receipt(
            epoch=7,
            exchange=b"x" * 32,
            ended=Ended.KILLED,
            code=9,
            lived_ms=10,
            erased_ms=1,
            kernel=kernel,
        )
    )
    assert unusual(write_receipt(RECEIPT)) == {}
    assert unusual(data) == {
        "ended": "not in the ordinary way",
        "init_on_free": "wanted on",
        "swap": "wanted off",
    }


def test_a_root_that_is_pinned_is_told() -> None:
    assert fields(ARK)["sha-256"].means == "pinned in this package: the ARK of Milan"
    assert unusual(ARK) == {}


def test_a_vek_shows_its_tcb_and_whose_it_is() -> None:
    vcek, vlek = fields(load("milan-virtee/vek.der")), fields(load("milan-vlek-trustee/vek.der"))
    assert vcek["kind"].value == "VCEK"
    assert len(vcek["hwID"].value) == 128
    assert vlek["CSP_ID"].value == "CN=cc-us-east-2.amazonaws.com"
    assert "microcode 217" in vlek["tcb"].value


def test_a_vek_in_another_form_is_shown_all_the_same() -> None:
    der = load("milan-virtee/vek.der").replace(b"Milan-B0", b"milan-B0", 1)
    assert "productName" in unusual(der)["form"]


def test_a_vek_of_an_unknown_product_is_marked() -> None:
    der = load("milan-virtee/vek.der").replace(b"Milan-B0", b"Venicean", 1)
    assert unusual(der) == {"product": "no product that is known"}


def test_what_is_unusual_in_a_certificate_is_marked() -> None:
    other = ARK.replace(bytes.fromhex("0603551d0f"), bytes.fromhex("0603551d7f"))
    assert unusual(other) == {"2.5.29.127": "critical and not known"}


def test_another_algorithm_is_marked() -> None:
    rsa = bytes.fromhex("2a864886f70d01010a")
    assert unusual(ARK.replace(rsa, rsa[:-1] + b"\x0b")) == {
        "algorithm": "not what AMD or Intel signs with"
    }


def test_what_a_crl_revokes_is_marked() -> None:
    assert fields(load("crl/genoa.der"))["revoked"].value == "0x20001"
    assert unusual(load("crl/genoa.der")) == {"revoked": "certificates are revoked"}
    assert unusual(load("crl/milan.der")) == {}


def test_a_certificate_table_shows_what_is_in_it_and_what_is_not_known() -> None:
    unknown = UUID("ecae0c0f-9502-43b1-afa2-0ae2e0d565b6")
    data = table((VLEK_GUID, MOCK.certificate), (ASK_GUID, ARK), (unknown, bytes(8)))
    titles = [section.title for section in explain(data)]
    assert titles[1:] == ["VLEK in the table, unverified", "ASK or ASVK in the table, unverified"]
    assert unusual(data) == {str(unknown): "an entry that is not known"}


def test_a_certificate_table_may_begin_with_any_entry_and_have_a_crl() -> None:
    unknown = UUID("ecae0c0f-9502-43b1-afa2-0ae2e0d565b6")
    data = table((unknown, bytes(8)), (CRL_GUID, load("crl/milan.der")))
    titles = [section.title for section in explain(data)]
    assert titles[1:] == ["revocation list of ARK-Milan, unverified"]


def test_claims_that_are_not_bound_or_no_object_are_marked() -> None:
    assert not fields(GOOD)["binding"].unusual
    assert "something else" in unusual(GOOD.replace(b'{"keys":[]}', b'{"keyz":[]}'))["binding"]
    assert unusual(GOOD.replace(b'{"keys":[]}', b'["keys",[]]'))["claims"] == "no JSON object"
    assert unusual(GOOD.replace(b'{"keys":[]}', b'{"keys":[]]'))["claims"] == "no JSON object"


@pytest.mark.parametrize(
    "data",
    [b"", b"nothing", b"{}", b"\x30\x00", report()[:-1], pem("PRIVATE KEY", b"k"), b"HCLA"],
)
def test_another_file_is_refused(
    data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(data)
    assert main(["show", "--json", str(tmp_path / "file")]) == 10
    told = json.loads(capsys.readouterr().out)["error"]
    assert told["kind"] == "EvidenceFormatError"


@given(st.sampled_from(sorted(EACH)), st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_are_shown_or_refused(name: str, noise: bytes, at: int) -> None:
    if name in {"signed receipt", "evidence object", "statement"}:
        start = f'{{"format":"sealroom-{name.replace(" ", "-")}/1"'.encode()
    else:
        start = EACH[name](None)  # type: ignore[arg-type]  # these need no guest
    try:
        assert explain(start[:at] + noise)
    except FormatError as error:
        assert error.problem


def test_json_has_all_fields(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--json", str(FOLDER / "milan-virtee" / "report.bin")]) == 0
    (section,) = json.loads(capsys.readouterr().out)["shown"]
    assert section["fields"][0] == {
        "name": "version",
        "value": "2",
        "means": "layout of the report",
        "unusual": "it does not name its processor",
        "at": 0,
    }


def test_a_section_for_people_marks_what_is_unusual() -> None:
    section = Section("a title", (Field(name="a", value="1", means="one", unusual="odd", at=16),))
    assert list(section_lines(section)) == [
        "a title",
        "  0x010  a  1",
        "              one",
        "  !           odd",
    ]
