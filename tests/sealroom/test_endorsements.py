# SPDX-License-Identifier: Apache-2.0
"""`sealroom endorsements fetch` against a local server that replays what AMD's service sent."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from attest import FormatError, SnpEndorsements, amd_roots
from attest.azure import parse_hcl
from attest.endorsements import parse_endorsements
from attest.snp.product import ProductLine
from attest.x509 import Extension, parse_crl
from lab.mocktsm import MockSnp
from sealroom import cli_endorsements
from sealroom.cli import main
from sealroom.errors import Deadline, InputError, Unreachable
from sealroom.kds import is_fresh_crl, service_of, wanted
from sealroom.service_client import PAUSE_MAX_S, PAUSES_S, fetch
from tests.attest.snp.evidence import FOLDER, load
from tests.sealroom.replay import Service, replaying

CRL = load("crl/milan.der")
NOW = parse_crl(CRL).this_update + timedelta(days=1)
REPORT = load("milan-virtee/report.bin")
VEK = load("milan-virtee/vek.der")
VEK_PATH = f"/vcek/v1/Milan/{REPORT[0x1A0:0x1E0].hex()}?blSPL=3&teeSPL=0&snpSPL=8&ucodeSPL=115"
CRL_PATH = "/vcek/v1/Milan/crl"

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def service() -> Iterator[Service]:
    with replaying(Service(has={VEK_PATH: VEK, CRL_PATH: CRL})) as service:
        yield service


@pytest.fixture
def command(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(cli_endorsements, "wall_clock", lambda: NOW)
    (tmp_path / "report").write_bytes(REPORT)
    fetching = ["endorsements", "fetch", str(tmp_path / "report"), "--line", "Milan"]
    return [*fetching, "--into", str(tmp_path / "got"), "--service", service.url]


def test_what_a_report_needs_is_fetched_and_kept(
    command: list[str], service: Service, tmp_path: Path, capsys: Capture
) -> None:
    assert main(command) == 0
    assert (tmp_path / "got" / "vek.der").read_bytes() == VEK
    assert (tmp_path / "got" / "crl.der").read_bytes() == CRL
    assert service.asked == [VEK_PATH, CRL_PATH]
    assert not {"cookie", "referer", "authorization"} & set(service.headers)
    assert main(command) == 0
    assert service.asked == [VEK_PATH, CRL_PATH]
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == [
        *("fetched", "fetched", "written"),
        *("kept", "kept", "kept"),
    ]
    bundle = parse_endorsements((tmp_path / "got" / "endorsements.json").read_bytes())
    assert bundle == SnpEndorsements(vek=VEK, crl=CRL)


def test_the_report_inside_an_hcl_report_is_fetched_for(
    command: list[str], service: Service, tmp_path: Path
) -> None:
    hcl = (FOLDER.parent / "azure-hcl" / "milan-v3" / "hcl.bin").read_bytes()
    (tmp_path / "report").write_bytes(hcl)
    vek = (FOLDER.parent / "azure-hcl" / "milan-v3" / "vek.der").read_bytes()
    path = wanted(parse_hcl(hcl).report, None).vek_path
    service.has[path] = vek
    assert main(command) == 0
    assert service.asked == [path, CRL_PATH]
    assert (tmp_path / "got" / "vek.der").read_bytes() == vek


def test_what_is_not_good_any_more_is_fetched_again(
    command: list[str], service: Service, tmp_path: Path
) -> None:
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "vek.der").write_bytes(load("milan-ms-tav/vek.der"))
    (tmp_path / "got" / "crl.der").write_bytes(b"old")
    assert main(command) == 0
    assert service.asked == [VEK_PATH, CRL_PATH]
    assert (tmp_path / "got" / "vek.der").read_bytes() == VEK


def test_another_chips_certificate_is_not_kept(
    command: list[str], service: Service, tmp_path: Path, capsys: Capture
) -> None:
    service.has[VEK_PATH] = load("milan-ms-tav/vek.der")
    assert main(command) == 60
    assert "wanted the vek.der that was asked for, got something else" in capsys.readouterr().err
    assert not (tmp_path / "got").exists()


def test_a_list_that_is_stale_is_not_kept(command: list[str], service: Service) -> None:
    service.has[CRL_PATH] = load("crl/genoa.der")[:-1]
    assert main(command) == 60


def test_a_file_in_the_way_is_told(command: list[str], tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "got").write_bytes(b"")
    assert main(command) == 65
    assert "wanted a file to write" in capsys.readouterr().err


def test_a_file_that_is_no_report_is_told(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "report").write_bytes(b"no")
    assert main(command) == 10


def slept(service: Service, most: int = 4096) -> tuple[bytes, list[float]]:
    """What came, and the pauses that were made for it."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    reply = asyncio.run(fetch("KDS", service.url, VEK_PATH, most, sleep=sleep))
    return reply.data, pauses


def test_it_waits_longer_each_time(service: Service) -> None:
    service.refusals = [(429, {}), (503, {})]
    assert slept(service) == (VEK, list(PAUSES_S[:2]))


def test_it_waits_as_long_as_it_is_told(service: Service) -> None:
    service.refusals = [(429, {"Retry-After": "30"}), (429, {"Retry-After": "soon"})]
    assert slept(service) == (VEK, [30, PAUSES_S[1]])


def test_it_gives_up(service: Service) -> None:
    service.refusals = [(429, {})] * 9
    with pytest.raises(Unreachable, match="got 429"):
        slept(service)
    assert len(service.asked) == 1 + len(PAUSES_S)


def test_it_does_not_wait_for_ever(service: Service) -> None:
    service.refusals = [(503, {"Retry-After": str(PAUSE_MAX_S + 1)})]
    with pytest.raises(Unreachable, match="got 503"):
        slept(service)
    assert len(service.asked) == 1


@pytest.mark.parametrize("status", [301, 404, 500])
def test_another_status_is_final(service: Service, status: int) -> None:
    service.refusals = [(status, {"Location": "/"})]
    with pytest.raises(Unreachable, match=f"got {status}"):
        slept(service)
    assert len(service.asked) == 1


def test_too_long_an_answer_is_not_read_to_its_end(service: Service) -> None:
    with pytest.raises(Unreachable, match="at most 100 bytes"):
        slept(service, most=100)


def test_nobody_there_is_told() -> None:
    with pytest.raises(Unreachable, match="an answer"):
        asyncio.run(fetch("KDS", "http://127.0.0.1:1", "/", 10))


def test_no_answer_in_time_is_told(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sealroom.service_client.REQUEST_LIMIT_S", 1e-6)
    with pytest.raises(Deadline):
        slept(service)


def test_turin_is_asked_for_by_eight_bytes_and_its_own_components() -> None:
    assert wanted(load("turin-ms-tav/report.bin"), None).vek_path == (
        "/vcek/v1/Turin/59790fb1c39f35c1?fmcSPL=1&blSPL=1&teeSPL=1&snpSPL=4&ucodeSPL=81"
    )


@pytest.mark.parametrize(
    ("report", "line", "got"),
    [
        (REPORT, None, "a known line"),
        (load("milan-vlek-trustee/report.bin"), None, "signed by a VCEK"),
        (MockSnp().report(bytes(64), chip_id=bytes(64)), None, "names its chip"),
        (MockSnp().report(bytes(64), cpuid_model=0xFF), ProductLine.MILAN, "a known line"),
    ],
)
def test_some_reports_have_nothing_to_fetch(
    report: bytes, line: ProductLine | None, got: str
) -> None:
    with pytest.raises(InputError, match=got):
        wanted(report, line)


def test_bytes_that_are_no_report_are_refused() -> None:
    with pytest.raises(FormatError):
        wanted(b"", ProductLine.MILAN)


def test_bytes_that_are_no_certificate_are_not_the_wanted_one() -> None:
    assert not wanted(REPORT, ProductLine.MILAN).is_vek(b"")


@pytest.mark.parametrize("root", amd_roots().amd, ids=lambda root: root.line)
def test_the_services_address_is_the_pinned_arks(root: object) -> None:
    (found,) = {service_of(one) for one in amd_roots().amd if one is root}
    assert found.startswith("https://")
    assert found.endswith(".amd.com")


def test_an_ark_that_names_no_place_has_no_service() -> None:
    root = amd_roots().amd[0]
    for extensions in ({}, {"2.5.29.31": Extension(critical=False, value=b"http://other/crl")}):
        certificate = replace(root.ark.certificate, extensions=extensions)
        with pytest.raises(InputError, match="the place of its revocation list"):
            service_of(replace(root, ark=replace(root.ark, certificate=certificate)))


def test_a_list_is_fresh_between_its_two_times() -> None:
    crl = parse_crl(CRL)
    assert is_fresh_crl(CRL, crl.this_update)
    assert not is_fresh_crl(CRL, crl.next_update)
    assert not is_fresh_crl(b"", datetime.now(crl.this_update.tzinfo))
