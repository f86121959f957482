# SPDX-License-Identifier: Apache-2.0
"""Collateral: nine members, and Intel's documents in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest import FormatError
from attest.evidence import COLLATERAL_MAX_BYTES
from attest.tdx.collateral import MEMBERS, parse_collateral
from attest.tdx.intel_json import DEPTH_MAX, HEX_MAX_BYTES, ITEMS_MAX, Members, read_json
from attest.tdx.status import TcbStatus
from attest.tdx.tcb_info import DOCUMENT_MAX_BYTES, parse_qe_identity, parse_tcb_info
from lab.mocktsm.intel_collateral import (
    DATE,
    GOOD_SGX,
    GOOD_TDX,
    LEVELS,
    MODULES,
    collateral,
    collateral_members,
    level,
    module,
    platform_tcb,
    qe_identity,
    tcb_info,
)
from lab.mocktsm.intel_pki import (
    pck_ca_certificate,
    pem,
    root_certificate,
    tcb_signer_certificate,
)

SIGNERS = (tcb_signer_certificate(), root_certificate())


def refused(**members: Any) -> str:
    data = json.dumps(collateral_members() | members).encode()
    with pytest.raises(FormatError) as caught:
        parse_collateral(data)
    return str(caught.value)


def test_the_members_are_read() -> None:
    found = parse_collateral(collateral())
    assert found.tcb_info == parse_tcb_info(tcb_info().encode())
    assert found.qe_identity == parse_qe_identity(qe_identity().encode())
    assert found.signed_tcb_info.data == tcb_info().encode()
    assert found.pck_crl_issuer.certificate.der == pck_ca_certificate()
    assert found.roots == (root_certificate(),) * 3


@pytest.mark.parametrize("name", MEMBERS)
def test_no_member_can_be_left_out_or_be_of_another_type(name: str) -> None:
    members = collateral_members()
    del members[name]
    with pytest.raises(FormatError, match=name):
        parse_collateral(json.dumps(members).encode())
    values: tuple[Any, ...] = (None, 1, ["x"], {}, True)
    for value in values:
        assert name in refused(**{name: value})


def test_an_unknown_member_is_refused() -> None:
    assert "unknown member 'more'" in refused(more="")


def test_a_chain_for_quotes_without_one_is_not_read() -> None:
    members = collateral_members() | {"pck_certificate_chain": "not even PEM"}
    assert parse_collateral(json.dumps(members).encode()).roots == (root_certificate(),) * 3


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"root_ca_crl": "30"}, "root_ca_crl"),
        ({"root_ca_crl": "3"}, "wanted hexadecimal"),
        ({"pck_crl": "zz"}, "wanted hexadecimal"),
        ({"pck_crl": "00" * (HEX_MAX_BYTES + 1)}, ""),
        ({"tcb_info_signature": "00" * 63}, "wanted 64 bytes, got 63"),
        ({"qe_identity_signature": "00" * 65}, "wanted 64 bytes, got 65"),
        ({"tcb_info_issuer_chain": pem(*SIGNERS, SIGNERS[1])}, "got 3 certificates"),
        ({"tcb_info_issuer_chain": pem(SIGNERS[0])}, "got 1 certificates"),
        ({"tcb_info_issuer_chain": pem(pck_ca_certificate(), SIGNERS[1])}, "TCB signing"),
        ({"pck_crl_issuer_chain": pem(*SIGNERS)}, "PCK CA"),
        ({"tcb_info": qe_identity()}, "TCB info: wanted version 3, got 2"),
        ({"qe_identity": tcb_info()}, "QE identity: wanted version 2, got 3"),
        ({"tcb_info": "\ud800"}, "wanted Unicode"),
    ],
)
def test_another_member_is_refused(members: dict[str, str], words: str) -> None:
    assert words in refused(**members)


def changed(name: str, **changes: Any) -> str:
    """A level, module or list of TCB information with one member changed."""
    document = json.loads(tcb_info())
    document[name][0] |= changes
    return json.dumps(document)


COMPONENTS = [{"svn": 0}] * 16


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (tcb_info(id="SGX"), "wanted TDX, got 'SGX'"),
        (tcb_info(version=2), "wanted version 3, got 2"),
        (tcb_info(version=True), "wanted int, got bool"),
        (tcb_info(tcbType=1), "tcbType: wanted 0"),
        (tcb_info(issueDate="2026-05-20 00:00:00Z"), "wanted a time"),
        (tcb_info(issueDate="2026-05-20T00:00:00+00:00"), "wanted a time"),
        (tcb_info(nextUpdate="2026-02-30T00:00:00Z"), "no such time"),
        (tcb_info(nextUpdate=None), "nextUpdate: wanted str, got NoneType"),
        (tcb_info(fmspc="90c06f0000"), "wanted 6 bytes, got 5"),
        (tcb_info(fmspc="90 c06f0000 "), "wanted hexadecimal"),
        (tcb_info(pceId="00000"), "wanted hexadecimal"),
        (tcb_info(tcbEvaluationDataNumber=-1), "wanted 0 to"),
        (tcb_info(tcbEvaluationDataNumber=2**31), "wanted 0 to"),
        (tcb_info(tdxModule=None), "tdxModule: wanted dict"),
        (tcb_info(tcbLevels={}), "tcbLevels: wanted list"),
        (tcb_info(tcbLevels=[1]), "tcbLevels[0]: wanted an object, got int"),
        (tcb_info(tcbLevels=[{}] * (ITEMS_MAX + 1)), "at most 256 items"),
        (changed("tcbLevels", tcbStatus="TDRelaunchAdvised"), "unknown status"),
        (changed("tcbLevels", tcbStatus="Fine"), "unknown status 'Fine'"),
        (changed("tcbLevels", advisoryIDs=[1]), "wanted names"),
        (changed("tcbLevels", advisoryIDs=[""]), "wanted names"),
        (changed("tcbLevels", advisoryIDs=["x" * 65]), "wanted names"),
        (changed("tcbLevels", tcbDate="2024"), "wanted a time"),
        (
            changed("tcbLevels", tcb=platform_tcb(GOOD_SGX, GOOD_TDX, 13) | {"pcesvn": 65536}),
            "wanted 0 to 65535",
        ),
        (
            changed(
                "tcbLevels",
                tcb=platform_tcb(b"", b"", 0) | {"tdxtcbcomponents": COMPONENTS[1:]},
            ),
            "wanted 16 components, got 15",
        ),
        (
            changed("tcbLevels", tcb={"pcesvn": 0, "tdxtcbcomponents": COMPONENTS}),
            "wanted 16 components, got 0",
        ),
        (
            changed(
                "tcbLevels",
                tcb=platform_tcb(b"", b"", 0) | {"sgxtcbcomponents": [{"svn": 256}] * 16},
            ),
            "svn from 0 to 255",
        ),
        (changed("tdxModuleIdentities", id="TDX_00"), "wanted TDX_01"),
        (changed("tdxModuleIdentities", id="TDX_1"), "wanted TDX_01"),
        (changed("tdxModuleIdentities", id="TDX_100"), "wanted TDX_01"),
        (changed("tdxModuleIdentities", id="tdx_01"), "stands twice"),
        (
            changed(
                "tdxModuleIdentities",
                tcbLevels=[level("SWHardeningNeeded", DATE, {"isvsvn": 1})],
            ),
            "unknown status",
        ),
    ],
)
def test_other_tcb_information_is_refused(text: str, words: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_tcb_info(text.encode())
    assert words in str(caught.value)


def test_hexadecimal_and_module_names_come_in_either_case() -> None:
    """Intel changes the case from one day to the next."""
    lower = [module("tdx_03"), module("TDX_0a")]
    found = parse_tcb_info(tcb_info(fmspc="90C06f000000", tdxModuleIdentities=lower).encode())
    assert found.fmspc.hex() == "90c06f000000"
    assert found.modules.keys() == {3, 10}


def test_a_document_may_lack_modules_and_have_members_that_are_not_read() -> None:
    found = parse_tcb_info(tcb_info(tdxModuleIdentities=None, more={"deep": []}).encode())
    assert found.modules == {}
    assert found.levels[0].rating.status is TcbStatus.UP_TO_DATE
    assert len(found.levels) == len(LEVELS)
    assert len(MODULES) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (qe_identity(id="QE"), "wanted TD_QE, got 'QE'"),
        (qe_identity(version=1), "wanted version 2, got 1"),
        (qe_identity(miscselect="000000"), "wanted 4 bytes"),
        (qe_identity(attributesMask=None), "attributesMask"),
        (qe_identity(mrsigner="00"), "wanted 32 bytes"),
        (qe_identity(isvprodid=65536), "wanted 0 to 65535"),
        (qe_identity(tcbLevels=[{"tcb": {}}]), "isvsvn"),
    ],
)
def test_another_identity_is_refused(text: str, words: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_qe_identity(text.encode())
    assert words in str(caught.value)


DEEP = '{"x":' * DEPTH_MAX + "0" + "}" * DEPTH_MAX


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        '{"a":1}x',
        '{"a":1.0}',
        '{"a":1e3}',
        '{"a":NaN}',
        '{"a":Infinity}',
        '{"a":1,"a":1}',
        '{"a":{"b":1,"b":2}}',
        '{"x":' + DEEP + "}",
        '{"a":"[" ,"b":' + "[" * 100_000,
        '{"a":"' + '\\"' * 30_000,
        '{"a":' + "1" * 5000 + "}",
        '{"a":"\\"}',
    ],
)
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        read_json(text.encode(), "test", 200_000)


def test_json_is_bounded() -> None:
    assert isinstance(read_json(DEEP.encode(), "test", 100), Members)
    assert read_json(b'{"a":"[[[[[[[[[[[["}', "test", 100).text("a") == "[" * 12
    with pytest.raises(FormatError, match="at most 5 bytes"):
        read_json(b'{"a":1}', "test", 5)
    with pytest.raises(FormatError, match="at most"):
        parse_collateral(b" " * (COLLATERAL_MAX_BYTES + 1))
    with pytest.raises(FormatError, match="at most"):
        parse_tcb_info(b" " * (DOCUMENT_MAX_BYTES + 1))
    with pytest.raises(FormatError, match="not the JSON"):
        read_json(b"\xff{}", "test", 100)


PARSERS = st.sampled_from([parse_collateral, parse_tcb_info, parse_qe_identity])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(
    data=st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()), parse=PARSERS
)
def test_any_bytes_are_a_format_error(data: bytes, parse: Any) -> None:
    with pytest.raises(FormatError):
        parse(data)


@given(name=st.sampled_from(sorted(json.loads(tcb_info()))), value=JSON)
def test_any_member_gives_tcb_information_or_a_format_error(name: str, value: Any) -> None:
    try:
        parse_tcb_info(json.dumps(json.loads(tcb_info()) | {name: value}).encode())
    except FormatError as error:
        assert error.what.startswith("TCB info")
