# SPDX-License-Identifier: Apache-2.0
"""`sealroom endorsements fetch` for TDX, against a local server that replays Intel's service.

The replies are put together from recorded collateral: bodies byte for byte, chains percent-encoded
in the headers in which Intel sends them.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote as percent_encoded

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError, Roots
from attest.endorsements import TdxEndorsements, parse_endorsements
from attest.roots import intel_roots
from attest.tdx.certificate import parse_pck_chain
from attest.tdx.quote import parse_quote
from attest.x509 import Extension
from lab.mocktsm.tdx_quote import quote as mock_quote
from sealroom import cli_endorsements
from sealroom.cli import main
from sealroom.errors import InputError
from sealroom.pcs import QE_IDENTITY, TCB_INFO, WantedCollateral, assemble, wanted_collateral
from tests.attest.tdx.evidence import FOLDER, bundles
from tests.sealroom.replay import Service, replaying

BUNDLE = bundles()["gotdx-v5"]
COLLATERAL: dict[str, str] = json.loads(BUNDLE.collateral)
TCB_PATH = "/tdx/certification/v4/tcb?fmspc=90c06f000000"
QE_PATH = "/tdx/certification/v4/qe/identity"
CRL_PATH = "/sgx/certification/v4/pckcrl?ca=platform&encoding=der"
ROOT_PATH = "/IntelSGXRootCA.der"
PATHS = [TCB_PATH, QE_PATH, CRL_PATH, ROOT_PATH]

Capture = pytest.CaptureFixture[str]


def signed(member: str, name: str, collateral: dict[str, str] = COLLATERAL) -> bytes:
    """A document as the service sends it."""
    signature = collateral[f"{name}_signature"]
    return b'{"%s":%s,"signature":"%s"}' % (
        member.encode(),
        collateral[name].encode(),
        signature.encode(),
    )


def chain(name: str) -> str:
    return percent_encoded(COLLATERAL[f"{name}_issuer_chain"])


def recorded() -> Service:
    """Intel's service on the day of the collateral."""
    return Service(
        has={
            TCB_PATH: signed("tcbInfo", "tcb_info"),
            QE_PATH: signed("enclaveIdentity", "qe_identity"),
            CRL_PATH: bytes.fromhex(COLLATERAL["pck_crl"]),
            ROOT_PATH: bytes.fromhex(COLLATERAL["root_ca_crl"]),
        },
        sends={
            TCB_PATH: {"TCB-Info-Issuer-Chain": chain("tcb_info")},
            QE_PATH: {"SGX-Enclave-Identity-Issuer-Chain": chain("qe_identity")},
            CRL_PATH: {"SGX-PCK-CRL-Issuer-Chain": chain("pck_crl")},
        },
    )


@pytest.fixture
def service() -> Iterator[Service]:
    with replaying(recorded()) as service:
        yield service


@pytest.fixture
def command(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(cli_endorsements, "wall_clock", lambda: BUNDLE.now)
    quoted = str(FOLDER / BUNDLE.expected["quote"])
    into = ["--into", str(tmp_path / "got"), "--service", service.url]
    return ["endorsements", "fetch", quoted, *into]


def test_what_a_quote_needs_is_fetched_and_verifies_it(
    command: list[str], service: Service, tmp_path: Path, capsys: Capture
) -> None:
    assert main(command) == 0
    assert service.asked == PATHS
    assert not {"cookie", "referer", "authorization"} & set(service.headers)
    fetched = tmp_path / "got" / "collateral.json"
    assert json.loads(fetched.read_bytes()) == COLLATERAL
    bundle = parse_endorsements((tmp_path / "got" / "endorsements.json").read_bytes())
    assert bundle == TdxEndorsements(collateral=fetched.read_bytes())
    capsys.readouterr()

    form = ["--quote", command[2], "--collateral", str(fetched)]
    policy = ["--policy", str(tmp_path / "policy.yaml")]
    assert main(["policy", "init", *form, "--output", policy[1]]) == 0
    assert main(["verify", *form, *policy, "--at", BUNDLE.now.isoformat()]) == 0


def test_what_is_in_force_is_kept(command: list[str], service: Service, capsys: Capture) -> None:
    assert main([*command, "--json"]) == 0
    assert main([*command, "--json"]) == 0
    assert service.asked == PATHS
    first, second = capsys.readouterr().out.split("\n}\n")[:2]
    assert [row["was"] for row in json.loads(first + "}")["endorsements"]] == ["fetched", "written"]
    assert [row["was"] for row in json.loads(second + "}")["endorsements"]] == ["kept", "kept"]


def test_what_is_not_in_force_any_more_is_fetched_again(
    command: list[str], service: Service, tmp_path: Path
) -> None:
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "collateral.json").write_bytes(bundles()["v4-phala"].collateral)
    assert main(command) == 0
    assert service.asked == PATHS
    assert json.loads((tmp_path / "got" / "collateral.json").read_bytes()) == COLLATERAL


def test_a_stale_answer_is_not_kept(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    later = BUNDLE.now + timedelta(days=60)
    monkeypatch.setattr(cli_endorsements, "wall_clock", lambda: later)
    assert main(command) == 60
    assert "wanted the collateral.json that was asked for, got a document that is not in force" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "got").exists()


def test_another_platforms_documents_are_not_kept(
    command: list[str], service: Service, tmp_path: Path, capsys: Capture
) -> None:
    other = json.loads(bundles()["trustee-quote4-DEBUG"].collateral)
    service.has[TCB_PATH] = signed("tcbInfo", "tcb_info", other)
    assert main(command) == 60
    assert "got TCB info of FMSPC 50806f000000" in capsys.readouterr().err
    assert not (tmp_path / "got").exists()


def test_another_cas_list_is_not_kept(
    command: list[str], service: Service, capsys: Capture
) -> None:
    service.has[CRL_PATH] = service.has[ROOT_PATH]
    assert main(command) == 60
    assert "got the PCK CRL of another CA" in capsys.readouterr().err


@pytest.mark.parametrize("path", [TCB_PATH, QE_PATH, CRL_PATH])
def test_a_reply_without_its_chain_is_told(
    command: list[str], service: Service, path: str, capsys: Capture
) -> None:
    service.sends[path] = {}
    assert main(command) == 60
    assert "wanted the header " in capsys.readouterr().err


@pytest.mark.parametrize("path", PATHS)
def test_a_reply_of_another_form_is_told(command: list[str], service: Service, path: str) -> None:
    service.has[path] = b"{}"
    assert main([*command, "--json"]) == 60


@pytest.mark.parametrize("path", PATHS)
def test_a_missing_reply_is_told(
    command: list[str], service: Service, path: str, capsys: Capture
) -> None:
    del service.has[path]
    assert main(command) == 60
    assert "PCS: wanted status 200, got 404" in capsys.readouterr().err


def test_a_reply_that_is_too_long_is_not_read_to_its_end(
    command: list[str], service: Service, capsys: Capture
) -> None:
    service.has[QE_PATH] = bytes(100_000)
    assert main(command) == 60
    assert "PCS: wanted at most 65792 bytes, got more" in capsys.readouterr().err


def test_progress_is_for_a_terminal(
    command: list[str], service: Service, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert main(command) == 0
    told = capsys.readouterr().err
    assert told.splitlines() == [f"asking {service.url}{path}" for path in PATHS]


def test_a_file_that_is_neither_is_told(
    command: list[str], tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "file").write_bytes(b"nothing")
    assert main([*command[:2], str(tmp_path / "file"), *command[3:]]) == 10
    assert "wanted an SEV-SNP report of 1184 bytes or a TDX quote; " in capsys.readouterr().err


@pytest.mark.parametrize("name", bundles())
def test_the_addresses_are_those_of_the_certificates(name: str) -> None:
    requests = wanted_collateral(bundles()[name].quote).requests(intel_roots(), None)
    hosts = {request.service for request in requests}
    assert all(host.startswith("https://") and host.endswith(".intel.com") for host in hosts)
    assert requests[0].service == requests[1].service == requests[2].service != requests[3].service
    assert requests[2].path == CRL_PATH


def test_a_mock_quote_is_fetched_for_from_a_named_service_only() -> None:
    ask = wanted_collateral(mock_quote())
    with pytest.raises(InputError, match="under Intel's root, or --service"):
        ask.requests(intel_roots(), None)
    assert {request.service for request in ask.requests(intel_roots(), "https://mine")} == {
        "https://mine"
    }


def test_a_root_that_names_no_place_has_none() -> None:
    root = intel_roots().intel[0]
    certificate = root.holder.certificate
    for extensions in ({}, {"2.5.29.31": Extension(critical=False, value=b"http://other/crl")}):
        holder = replace(root.holder, certificate=replace(certificate, extensions=extensions))
        roots = Roots(amd=(), intel=(replace(root, holder=holder),))
        with pytest.raises(InputError, match="the place of its revocation list"):
            wanted_collateral(BUNDLE.quote).requests(roots, "https://mine")


@pytest.mark.parametrize("days", [-30, 27, 400])
def test_collateral_is_good_while_all_of_it_is_in_force(days: int) -> None:
    ask = WantedCollateral(parse_pck_chain(parse_quote(BUNDLE.quote).pck_chain))
    assert ask.problem(BUNDLE.collateral, BUNDLE.now) == ""
    assert "not in force" in ask.problem(BUNDLE.collateral, BUNDLE.now + timedelta(days=days))


def test_a_list_that_ends_first_is_told() -> None:
    ask = wanted_collateral(bundles()["v4-phala"].quote)
    at = datetime.fromisoformat("2025-07-19T10:12:00+00:00")
    told = ask.problem(bundles()["v4-phala"].collateral, at)
    assert told == "a revocation list that is not in force"


_HEADER = st.text(st.characters(max_codepoint=0xDCFF), max_size=100)  # aiohttp gives surrogates


@given(st.binary(max_size=200), _HEADER)
def test_any_replies_are_collateral_or_the_packages_error(data: bytes, header: str) -> None:
    headers = dict.fromkeys(
        ("tcb-info-issuer-chain", "sgx-enclave-identity-issuer-chain", "sgx-pck-crl-issuer-chain"),
        header,
    )
    body = b'{"tcbInfo":{' + data + b'},"signature":"' + b"0" * 128 + b'"}'
    replies = {
        TCB_INFO: (body, headers),
        QE_IDENTITY: (signed("enclaveIdentity", "qe_identity"), headers),
        "PCK CRL": (data, headers),
        "root CRL": (data, headers),
    }
    try:
        assert json.loads(assemble(replies))["pck_crl"] == data.hex()
    except FormatError as error:
        assert error.problem
