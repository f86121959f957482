# SPDX-License-Identifier: Apache-2.0
"""`sealroom show` on what belongs to TDX: each field has a row, what is unusual is marked."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError, SnpEndorsements, write_evidence
from attest.azure import parse_hcl
from attest.endorsements import TdxEndorsements, write_endorsements
from attest.evidence import Evidence
from attest.layout import cells
from attest.statement import Platform, write_statement
from attest.tdx.certificate import parse_pem
from attest.tdx.quote import Header, QeReport, TdReport10, TdReport15Ex, parse_quote
from attest.tdx.td_report import TdReport
from sealroom.cli import main
from sealroom.hexadecimal import HEX_MIN_CHARACTERS, is_hex, read_hex
from sealroom.pcs import split_reply
from sealroom.show import tdx_rows
from sealroom.show.field import Field
from sealroom.show.forms import FORMS, explain
from tests.attest.snp.evidence import load as load_snp
from tests.attest.tdx.evidence import FOLDER, MANIFEST, load
from tests.sealroom.guest import Guest

HCL = (FOLDER.parent / "azure-hcl" / "tdx" / "hcl.bin").read_bytes()
QUOTE = load("quotes/v4-phala.bin")
QUOTE5 = load("quotes/v5-gotdx.bin")
COLLATERAL = load("bundles/v4-phala.json")
BODY, BODY5 = 0x30, 0x36

Capture = pytest.CaptureFixture[str]


def fields(data: bytes) -> dict[str, Field]:
    """All fields of all sections by name; the first of a name counts."""
    found: dict[str, Field] = {}
    for section in explain(data):
        for field in section.fields:
            found.setdefault(field.name, field)
    return found


def unusual(data: bytes) -> dict[str, str]:
    return {name: field.unusual for name, field in fields(data).items() if field.unusual}


def put(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def member(name: str) -> bytes:
    text: str = json.loads(COLLATERAL)[name]
    return text.encode()


def reply(name: str, document: str) -> bytes:
    signature = member(f"{document}_signature").decode()
    return b'{"%s":%s,"signature":"%s"}' % (name.encode(), member(document), signature.encode())


EACH: dict[str, Callable[[], bytes]] = {
    "TDX quote": lambda: QUOTE,
    "TDX collateral": lambda: COLLATERAL,
    "answer of Intel's service": lambda: reply("tcbInfo", "tcb_info"),
    "TCB information": lambda: member("tcb_info"),
    "QE identity": lambda: member("qe_identity"),
    "TDREPORT": lambda: parse_hcl(HCL).report,
    "endorsement bundle": lambda: write_endorsements(TdxEndorsements(collateral=COLLATERAL)),
}


@pytest.mark.parametrize("name", EACH)
def test_each_form_is_recognised(name: str) -> None:
    data = EACH[name]()
    assert next(form for form in FORMS if form.looks(data)).name == name
    assert all(section.fields for section in explain(data))


def test_a_row_stands_for_every_field_of_every_layout() -> None:
    assert cells(Header).keys() == tdx_rows.HEADER.keys()
    assert cells(TdReport15Ex).keys() == tdx_rows.BODY.keys()
    assert cells(QeReport).keys() == tdx_rows.QE.keys()
    assert cells(TdReport).keys() == tdx_rows.TD_REPORT.keys()


@pytest.mark.parametrize("row", MANIFEST["quotes"], ids=lambda row: row["quote"])
def test_a_real_quotes_fields_are_shown(row: dict[str, object]) -> None:
    data = load(str(row["quote"]))
    shown = fields(data)
    assert shown["version"].value == str(row["version"])
    body = parse_quote(data).body
    for name, cell in cells(type(body)).items():
        field = shown[name]
        assert field.value.startswith(getattr(body, name).hex())
        at = cell.offset + (BODY5 if row["version"] == 5 else BODY)
        assert field.at == at
        assert data[at : at + 8] == getattr(body, name)[:8]


@pytest.mark.parametrize("data", [QUOTE, QUOTE5], ids=["version 4", "version 5"])
def test_the_offsets_after_the_body_are_where_the_parts_lie(data: bytes) -> None:
    quote, shown = parse_quote(data), fields(data)
    for name, value in {
        "signature": quote.signature,
        "attestation_key": quote.attestation_key,
        "qe_signature": quote.qe_signature,
        "qe_certification": b"\x06\x00",
        "auth_data": len(quote.auth_data).to_bytes(2, "little") + quote.auth_data,
        "pck_certification": b"\x05\x00",
        "mrsigner": quote.qe_report.mrsigner,
    }.items():
        at = shown[name].at
        assert at is not None
        assert data[at : at + len(value)] == value


def test_an_ordinary_quote_has_nothing_unusual() -> None:
    assert unusual(QUOTE) == {}
    assert unusual(COLLATERAL) == {"revoked": "certificates are revoked"}


def test_a_pck_certificate_shows_what_it_certifies() -> None:
    shown = fields(QUOTE5)
    assert shown["FMSPC"].value == "90c06f000000"
    assert shown["PCEID"].value == "0000"
    assert shown["PCESVN"].value == "13"
    assert shown["SGX TCB component 08"].value == "5"
    assert shown["SGX type"].value == "1, scalable"
    assert shown["SMT"].value == "yes"
    assert shown["where its CRL is"].value.startswith("https://")


def test_a_pck_certificate_in_another_form_is_shown_all_the_same() -> None:
    oid = bytes.fromhex("060a2a864886f84d010d0104")  # the FMSPC's
    pem = parse_quote(QUOTE).pck_chain
    sections = explain(pem.rstrip(b"\0"))
    (der,) = {f.value for s in sections for f in s.fields if f.name == "FMSPC"}
    assert der == "b0c06f000000"
    pck = parse_pem(pem.rstrip(b"\0"), "chain")[0]
    assert unusual(pck.replace(oid, oid[:-1] + b"\x14")) == {
        "1.2.840.113741.1.13.1.20": "not known"
    }
    at = pck.index(oid) - 2
    assert "SGX extension" in unusual(put(pck, at, b"\x31"))


def test_the_root_of_intel_is_told() -> None:
    said = {field.means for section in explain(QUOTE) for field in section.fields}
    assert "pinned in this package: the root of Intel" in said


ODD: dict[str, tuple[str, bytes, int, bytes, str]] = {
    "debugging": ("td_attributes", QUOTE, BODY + 120, b"\x01", "under debug"),
    "profiling": ("td_attributes", QUOTE, BODY + 120, b"\x20", "profiling"),
    "migration": ("td_attributes", QUOTE, BODY + 123, b"\x30", "another platform"),
    "counters": ("td_attributes", QUOTE, BODY + 127, b"\x80", "performance counters"),
    "no sept-ve-disable": ("td_attributes", QUOTE, BODY + 123, b"\x00", "an exception"),
    "an unknown attribute": ("td_attributes", QUOTE, BODY + 122, b"\x02", "0x20000"),
    "no SSE": ("xfam", QUOTE, BODY + 128, b"\xe5", "always there"),
    "an unknown feature": ("xfam", QUOTE, BODY + 130, b"\x36", "0x300000"),
    "another signer": ("mrsigner_seam", QUOTE, BODY + 64, b"\x01", "not signed by Intel"),
    "a debugged module": ("seam_attributes", QUOTE, BODY + 112, b"\x01", "not in production"),
    "an update": ("tee_tcb_svn2", QUOTE5, BODY5 + 584, b"\x0e", "updated under"),
    "a service TD": ("mrservicetd", QUOTE5, BODY5 + 600, b"\x01", "may act on it"),
    "another key": ("binding", QUOTE, 0x2BC, b"\x00\x00", "another key"),
    "text at the end": ("trailing", QUOTE, len(QUOTE) - 1, b"!", "not all zero"),
}


@pytest.mark.parametrize("what", ODD)
def test_what_is_unusual_in_a_quote_is_marked(what: str) -> None:
    name, data, at, value, says = ODD[what]
    assert says in unusual(put(data, at, value))[name]


def test_a_quote_of_version_4_says_that_it_does_not_tell_of_service_tds() -> None:
    assert fields(QUOTE)["service TDs"].value == "not told"
    assert "service TDs" not in fields(QUOTE5)


def test_a_chain_that_is_no_pem_is_marked() -> None:
    assert (
        "wanted a certificate in PEM" in unusual(load("quotes/qvl-sample.bin"))["pck_certification"]
    )


def extended(**changes: bytes) -> bytes:
    """A quote with a body of type 4, which no platform at hand makes."""
    quote = parse_quote(QUOTE5)
    body = bytearray(QUOTE5[BODY5 : BODY5 + 648] + bytes(885 - 648))
    body[0x321:0x331] = quote.body.tee_tcb_svn
    for name, value in changes.items():
        at = cells(TdReport15Ex)[name].offset
        body[at : at + len(value)] = value
    size = len(body).to_bytes(4, "little")
    return QUOTE5[:48] + b"\x04\x00" + size + bytes(body) + QUOTE5[BODY5 + 648 :]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("devices", b"\x01", "devices are assigned"),
        ("init_service_td", b"\x01", "launched with"),
        ("init_service_td_attributes", b"\x01", "under debug"),
        ("init_tee_tcb_svn", b"\xff", "another module"),
        ("service_td", b"\x01", "may act"),
        ("service_td_attributes", b"\x01", "under debug"),
    ],
)
def test_what_is_unusual_in_an_extended_body_is_marked(name: str, value: bytes, says: str) -> None:
    assert name not in unusual(extended())
    assert says in unusual(extended(**{name: value}))[name]


def test_collateral_shows_each_part() -> None:
    titles = [section.title for section in explain(COLLATERAL)]
    assert titles == [
        "collateral",
        "TCB information, unverified",
        "TDX module version 0",
        "TDX module version 1",
        "TDX module version 3",
        "identity of the quoting enclave, unverified",
        "revocation list of Intel SGX PCK Platform CA, unverified",
        "revocation list of Intel SGX Root CA, unverified",
        "certificate of Intel SGX PCK Platform CA, unverified",
        "certificate of Intel SGX Root CA, unverified",
        "certificate of Intel SGX TCB Signing, unverified",
    ]
    shown = fields(COLLATERAL)
    assert shown["fmspc"].value == "b0c06f000000"
    assert shown["tcbEvaluationDataNumber"].value == "17"
    assert shown["level 1"].value.startswith("UpToDate of 2024-03-13")
    assert shown["in force"].value == "2025-06-19T10:32:27+00:00 to 2025-07-19T10:00:35+00:00"


def test_collateral_that_was_never_in_force_is_marked() -> None:
    document = json.loads(COLLATERAL)
    document["tcb_info"] = document["tcb_info"].replace('"issueDate":"2025', '"issueDate":"2035')
    document["pck_certificate_chain"] = "…"
    told = unusual(json.dumps(document).encode())
    assert "never" in told["in force"]
    assert "not read" in told["pck_certificate_chain"]


def test_a_level_that_is_revoked_is_marked() -> None:
    revoked = member("tcb_info").replace(b'"OutOfDate"', b'"Revoked"')
    assert unusual(revoked)["level 2"] == "revoked"


def test_an_answer_of_intels_service_is_its_document_and_a_signature() -> None:
    for name, document in (("tcbInfo", "tcb_info"), ("enclaveIdentity", "qe_identity")):
        data = reply(name, document)
        signed, signature = split_reply(data, name)
        assert signed == member(document)
        assert signature.hex() == member(f"{document}_signature").decode()
        assert fields(data)["signature"].value == signature.hex()
    with pytest.raises(FormatError, match="its signature"):
        explain(b'{"tcbInfo":{}}')


def test_a_tdx_evidence_object_shows_quote_and_collateral(guest: Guest) -> None:
    evidence = Evidence(
        platform=Platform.TDX, statement=write_statement(guest.statement), report=QUOTE
    )
    data = write_evidence(evidence, TdxEndorsements(collateral=COLLATERAL))
    titles = [section.title for section in explain(data)]
    assert titles[:3] == [
        "evidence object",
        "statement, unverified",
        "TDX quote, version 4, unverified",
    ]
    assert "collateral" in titles
    assert unusual(data)["binding"] == "the report vouches for something else"


def test_a_bundle_for_snp_shows_certificate_and_list() -> None:
    endorsements = SnpEndorsements(vek=load_snp("milan-virtee/vek.der"), crl=None)
    data = write_endorsements(endorsements)
    assert [section.title for section in explain(data)] == [
        "endorsement bundle",
        "certificate of SEV-VCEK, unverified",
    ]
    assert fields(data)["crl"].value == "none"


def test_a_td_report_inside_an_hcl_report_is_shown_with_what_it_vouches_for() -> None:
    titles = [section.title for section in explain(HCL)]
    assert titles[-1] == "TDREPORT: nobody but its own processor can check it"
    assert not fields(HCL)["binding"].unusual
    assert "something else" in unusual(HCL.replace(b"HCLAkPub", b"HCLAkPuc"))["binding"]


@pytest.mark.parametrize("spell", [str.lower, str.upper, lambda text: f"0x{text}\n"])
def test_binary_forms_may_be_in_hexadecimal(spell: Callable[[str], str]) -> None:
    text = spell(QUOTE.hex()).encode()
    assert explain(text) == explain(QUOTE)
    wrapped = b"\r\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    assert read_hex(wrapped) == QUOTE


def test_what_is_not_hexadecimal_is_left_alone() -> None:
    assert not is_hex(b"ab" * (HEX_MIN_CHARACTERS // 2 - 1))
    assert not is_hex(QUOTE)
    odd = b"a" * (HEX_MIN_CHARACTERS + 1)
    assert read_hex(odd) == odd
    assert read_hex(QUOTE) == QUOTE


def test_a_quote_of_sgx_is_refused_by_name(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "quote").write_bytes(put(QUOTE, 0, b"\x03"))
    assert main(["show", str(tmp_path / "quote")]) == 10
    assert "wanted version 4 or 5, got 3" in capsys.readouterr().err


def test_what_came_is_told_where_no_form_is_known(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").write_bytes(b"\x7fELF" + bytes(100))
    assert main(["show", str(tmp_path / "file")]) == 10
    told = capsys.readouterr().err
    assert "wanted one of PEM, " in told
    assert told.endswith("; got 104 bytes from 7f454c4600000000 on\n")


def test_every_body_starts_with_the_first_ones_fields() -> None:
    assert list(cells(TdReport10)) == list(tdx_rows.BODY)[: len(cells(TdReport10))]


@given(st.sampled_from(sorted(EACH)), st.binary(max_size=300), st.integers(0, 5000))
def test_any_bytes_are_shown_or_refused(name: str, noise: bytes, at: int) -> None:
    data = EACH[name]()
    try:
        assert explain(data[:at] + noise)
        assert explain(put(data, at, noise))
    except FormatError as error:
        assert error.problem
