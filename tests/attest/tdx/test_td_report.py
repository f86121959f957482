# SPDX-License-Identifier: Apache-2.0
"""TDREPORTs: a real one is read, a broken byte is refused, a quote agrees or does not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError
from attest.layout import cells, uncovered
from attest.tdx.quote import TdReport10, parse_quote
from attest.tdx.td_report import (
    HASHED,
    REPORT_TYPE_TDX,
    TdReport,
    differences,
    parse_td_report,
)
from lab.mocktsm.tdx_quote import quote

HCL = Path(__file__).parents[2] / "vectors" / "azure-hcl" / "tdx" / "hcl.bin"
REAL = HCL.read_bytes()[0x20 : 0x20 + TdReport.SIZE]


def td_report(body: TdReport10, **changes: bytes) -> bytes:
    """A TDREPORT of the TD that a body is of; nobody can check its MAC."""
    data = bytearray(TdReport.SIZE)
    data[0] = REPORT_TYPE_TDX
    for name, cell in cells(TdReport).items():
        value = changes.get(name, getattr(body, name, None))
        if value is not None:
            data[cell.offset : cell.offset + len(value)] = value
    for name, span in HASHED.items():
        at = cells(TdReport)[name].offset
        data[at : at + 48] = hashlib.sha384(data[span.start : span.end]).digest()
    return bytes(data)


def test_every_byte_of_a_td_report_is_named_once_or_reserved() -> None:
    assert uncovered(TdReport) == []


def test_a_real_one_is_read() -> None:
    report = parse_td_report(REAL)
    assert report.xfam.hex() == "e718060000000000"
    assert (
        report.tee_tcb_svn
        == report.tee_tcb_svn2
        == bytes.fromhex("0201060000000000").ljust(16, b"\0")
    )
    assert report.mrsigner_seam == report.mrconfigid == report.mrservicetd == bytes(48)


@pytest.mark.parametrize("version", [4, 5])
def test_a_quote_of_the_same_td_has_no_difference(version: int) -> None:
    body = parse_quote(quote(version=version, body_type=version - 2)).body
    assert differences(parse_td_report(td_report(body)), body) == ()


def test_all_differences_are_told_in_order() -> None:
    body = parse_quote(quote()).body
    report = parse_td_report(td_report(body, xfam=bytes(8), mrtd=bytes(48)))
    assert differences(report, body) == ("mrtd", "xfam")


BROKEN = {
    "another type": (0x000, b"\x00", "wanted type 129, got 0"),
    "a reserved byte": (0x004, b"\x01", "reserved bytes are not zero"),
    "a module that is not the hashed one": (0x108, b"\xee", "tee_tcb_info_hash is the hash"),
    "the last byte of what is hashed": (0x390, b"\xee", "tee_info_hash is the hash"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_another_one_is_refused_with_what_is_wrong(what: str) -> None:
    at, value, says = BROKEN[what]
    with pytest.raises(FormatError, match=says):
        parse_td_report(REAL[:at] + value + REAL[at + 1 :])


@given(st.binary(max_size=1200))
def test_any_bytes_give_a_td_report_or_the_packages_error(noise: bytes) -> None:
    try:
        report = parse_td_report((REAL[: len(REAL) - len(noise)] + noise)[: TdReport.SIZE])
    except FormatError:
        return
    assert report.report_type[0] == REPORT_TYPE_TDX
