# SPDX-License-Identifier: Apache-2.0
"""The report's layout: every byte accounted for, and the version decides which fields exist."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError
from attest.errors import UnsupportedError
from attest.layout import Span, uncovered
from attest.snp.report import P384_ORDER, VERSIONS, ReportV2, ReportV3, ReportV5, parse_report
from lab.mocktsm import MockSnp

LAYOUTS = [ReportV2, ReportV3, ReportV5]
REPORTS = {
    version: MockSnp(line="Genoa", version=version).report(b"\x07" * 64) for version in VERSIONS
}


def put(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_byte_is_named_once_or_reserved(layout: type[ReportV2]) -> None:
    assert uncovered(layout) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_report_is_read_in_the_layout_of_its_version(version: int) -> None:
    report = parse_report(REPORTS[version])
    assert type(report) is VERSIONS[version]
    assert (report.version, report.report_data) == (version, b"\x07" * 64)


@pytest.mark.parametrize("version", [0, 1, 6, 0x100])
def test_an_unknown_version_is_not_guessed(version: int) -> None:
    with pytest.raises(UnsupportedError, match=f"got {version}"):
        parse_report(put(REPORTS[5], 0, version.to_bytes(4, "little")))


@pytest.mark.parametrize("size", [0, 4, 1183, 1185, 1204])
def test_only_1184_bytes_are_a_report(size: int) -> None:
    with pytest.raises(FormatError, match="wanted 1184 bytes"):
        parse_report(REPORTS[3].ljust(size, b"\x00")[:size])


@pytest.mark.parametrize(
    ("version", "span"),
    [(version, span) for version, layout in VERSIONS.items() for span in layout.RESERVED],
)
def test_reserved_bytes_are_zero(version: int, span: Span) -> None:
    for offset in (span.start, span.end - 1):
        with pytest.raises(FormatError) as caught:
            parse_report(put(REPORTS[version], offset, b"\x01"))
        assert caught.value.offset == span.start


@pytest.mark.parametrize(("version", "offset"), [(2, 0x188), (3, 0x1F8), (4, 0x200)])
def test_a_field_of_a_later_version_is_reserved_before(version: int, offset: int) -> None:
    with pytest.raises(FormatError, match="reserved"):
        parse_report(put(REPORTS[version], offset, b"\x01"))


@pytest.mark.parametrize("algorithm", [0, 2])
def test_only_ecdsa_p384_is_a_signature_algorithm(algorithm: int) -> None:
    with pytest.raises(FormatError) as caught:
        parse_report(put(REPORTS[3], 0x34, bytes([algorithm])))
    assert caught.value.offset == 0x34


def test_reserved_flags_are_zero() -> None:
    with pytest.raises(FormatError) as caught:
        parse_report(put(REPORTS[3], 0x48, b"\x20"))
    assert caught.value.offset == 0x48


@pytest.mark.parametrize("offset", [0x2A0, 0x2E8])
@pytest.mark.parametrize("number", [0, P384_ORDER, 2**384 - 1])
def test_a_signature_is_in_range(offset: int, number: int) -> None:
    with pytest.raises(FormatError) as caught:
        parse_report(put(REPORTS[3], offset, number.to_bytes(48, "little")))
    assert caught.value.offset == offset


@pytest.mark.parametrize("number", [1, P384_ORDER - 1])
def test_a_signature_may_be_at_either_end_of_its_range(number: int) -> None:
    report = parse_report(put(REPORTS[3], 0x2A0, number.to_bytes(48, "little")))
    assert int.from_bytes(report.signature_r, "little") == number


@pytest.mark.parametrize(
    ("flags", "author", "masked", "key"),
    [(0b00001, True, False, 0), (0b00010, False, True, 0), (0b11100, False, False, 7)],
)
def test_flags_are_told_apart(flags: int, *, author: bool, masked: bool, key: int) -> None:
    report = parse_report(put(REPORTS[3], 0x48, bytes([flags])))
    assert report.author_key_enabled is author
    assert report.chip_key_masked is masked
    assert report.signing_key == key


@given(st.binary(max_size=1300))
def test_any_bytes_give_a_report_or_a_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_report(data)


@given(offset=st.integers(0, 1183), value=st.binary(min_size=1, max_size=8))
def test_any_change_gives_a_report_or_a_format_error(offset: int, value: bytes) -> None:
    changed = put(REPORTS[5], offset, value)[:1184]
    try:
        report = parse_report(changed)
    except FormatError as error:
        assert error.problem
    else:
        assert report.version in VERSIONS
