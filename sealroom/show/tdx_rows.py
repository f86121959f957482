# SPDX-License-Identifier: Apache-2.0
"""What each field of a TDX quote and of a TDREPORT means, a row each.

Intel TDX DCAP Quoting Library API, appendix A; Intel TDX module ABI, TDREPORT_STRUCT, ATTRIBUTES
and XFAM. A test holds the rows against the layouts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attest.tdx.policy import TD_ATTRIBUTE_BITS, TdAttribute
from attest.tdx.rules import XFAM_ALWAYS
from sealroom.show.rows import Row

# The byte of TDATTRIBUTES that takes a TD out of the trust of its owner (TUD).
DEBUG_BITS = {"debug": 0, "hgs-plus-prof": 4, "perf-prof": 5, "pmt-prof": 6}
XFAM_BITS = {
    "x87": 0,
    "sse": 1,
    "avx": 2,
    "avx512-k": 5,
    "avx512-zmm": 6,
    "avx512-zmm16": 7,
    "processor-trace": 8,
    "pkru": 9,
    "cet-user": 11,
    "cet-supervisor": 12,
    "uintr": 14,
    "lbr": 15,
    "amx-tilecfg": 17,
    "amx-tiledata": 18,
    "apx": 19,
}
_ODD_ATTRIBUTES = {
    TdAttribute.MIGRATABLE: "the TD may be moved to another platform, which nobody has verified",
    TdAttribute.PERFMON: "the TD may use the processor's performance counters",
}


def _bits(value: bytes, names: Mapping[str, int]) -> str:
    number = int.from_bytes(value, "little")
    found = [str(name) for name, bit in names.items() if number >> bit & 1]
    if unknown := _unknown(value, names):
        found.append(f"bits 0x{unknown:x}")
    return f"{value.hex()}: {', '.join(found) or 'nothing'}"


def _unknown(value: bytes, names: Mapping[str, int]) -> int:
    return int.from_bytes(value, "little") & ~sum(1 << bit for bit in names.values())


_ATTRIBUTES = DEBUG_BITS | {str(name): bit for name, bit in TD_ATTRIBUTE_BITS.items()}


def _attributes(name: str) -> Callable[[Any], str]:
    return lambda body: _bits(getattr(body, name), _ATTRIBUTES)


def _odd_attributes(value: bytes) -> str:
    number = int.from_bytes(value, "little")
    said: list[str] = []
    if value[0]:
        said.append("under debug or profiling: its host can look into it")
    said += [why for name, why in _ODD_ATTRIBUTES.items() if number >> TD_ATTRIBUTE_BITS[name] & 1]
    if not number >> TD_ATTRIBUTE_BITS[TdAttribute.SEPT_VE_DISABLE] & 1:
        said.append("without sept-ve-disable: the host may raise an exception at any access")
    if unknown := _unknown(value, _ATTRIBUTES):
        said.append(f"unknown bits 0x{unknown:x}")
    return "; ".join(said)


def _odd_xfam(value: bytes) -> str:
    if value[0] & XFAM_ALWAYS[0] != XFAM_ALWAYS[0]:
        return "x87 and sse are always there"
    unknown = _unknown(value, XFAM_BITS)
    return f"unknown bits 0x{unknown:x}" if unknown else ""


def _svns(name: str) -> Callable[[Any], str]:
    def read(body: Any) -> str:
        svn: bytes = getattr(body, name)
        return f"{svn.hex()}: module version {svn[1]} SVN {svn[0]}, microcode {svn[2]}"

    return read


def _updated(body: Any) -> str:
    if body.tee_tcb_svn2 == body.tee_tcb_svn or not any(body.tee_tcb_svn2):
        return ""
    return "the TDX module was updated under the running TD"


def _set(name: str, why: str) -> Callable[[Any], str]:
    """Marks a field that is not zero."""
    return lambda record: why if any(getattr(record, name)) else ""


_HOST = "from the host, which nobody else checked; zeros for nothing"

HEADER: dict[str, Row] = {
    "version": Row("layout of the quote"),
    "key_type": Row("2 is ECDSA on P-256"),
    "tee_type": Row("0x81 is TDX", lambda h: f"0x{h.tee_type:x}"),
    "vendor": Row("whose quoting enclave; this is Intel's"),
    "user_data": Row("from the quoting enclave; 16 bytes of platform identity"),
}

_REPORT: dict[str, Row] = {
    "tee_tcb_svn": Row("security versions of the TDX module at launch", _svns("tee_tcb_svn")),
    "mrseam": Row("measurement of the TDX module"),
    "mrsigner_seam": Row(
        "who signed the TDX module; zeros for Intel",
        unusual=_set("mrsigner_seam", "not signed by Intel"),
    ),
    "seam_attributes": Row(
        "attributes of the TDX module; zeros",
        unusual=_set("seam_attributes", "a module that is not in production"),
    ),
    "td_attributes": Row(
        "what the TD may do and what may be done to it",
        _attributes("td_attributes"),
        lambda body: _odd_attributes(body.td_attributes),
    ),
    "xfam": Row(
        "extended features of the processor that the TD may use",
        lambda body: _bits(body.xfam, XFAM_BITS),
        lambda body: _odd_xfam(body.xfam),
    ),
    "mrtd": Row("the TD's initial contents: which firmware"),
    "mrconfigid": Row(f"configuration, {_HOST}"),
    "mrowner": Row(f"owner, {_HOST}"),
    "mrownerconfig": Row(f"the owner's configuration, {_HOST}"),
    "rtmr0": Row("extended by the firmware: its settings"),
    "rtmr1": Row("extended by the firmware: what it started, the kernel"),
    "rtmr2": Row("extended by the kernel's loader: command line and initrd"),
    "rtmr3": Row("extended by the guest itself; zeros for nothing"),
    "report_data": Row("64 bytes that the guest had vouched for"),
    "tee_tcb_svn2": Row(
        "security versions of the TDX module that runs now", _svns("tee_tcb_svn2"), _updated
    ),
    "mrservicetd": Row(
        "measurement of the service TDs bound to it; zeros for none",
        unusual=_set("mrservicetd", "a service TD may act on it, such as one that migrates it"),
    ),
}

BODY: dict[str, Row] = {
    **_REPORT,
    "vm_id": Row("which partition of the TD asked; 0 is the first"),
    "td_id": Row("the TD"),
    "devices": Row(
        "digest of the devices assigned to it; zeros for none",
        unusual=_set("devices", "devices are assigned to it"),
    ),
    "init_service_td": Row(
        "the service TD at first launch",
        unusual=_set("init_service_td", "it was launched with a service TD"),
    ),
    "init_service_td_attributes": Row(
        "its attributes",
        _attributes("init_service_td_attributes"),
        lambda b: "under debug or profiling" if b.init_service_td_attributes[0] else "",
    ),
    "init_cpu_svn": Row("security versions of the processor of the first launch"),
    "init_tee_tcb_svn": Row(
        "those of the TDX module then",
        _svns("init_tee_tcb_svn"),
        lambda b: "" if b.init_tee_tcb_svn == b.tee_tcb_svn else "it began on another module",
    ),
    "init_fmspc": Row("the platform of the first launch"),
    "service_td": Row(
        "the service TD now", unusual=_set("service_td", "a service TD may act on it")
    ),
    "service_td_attributes": Row(
        "its attributes",
        _attributes("service_td_attributes"),
        lambda b: "under debug or profiling" if b.service_td_attributes[0] else "",
    ),
}

QE: dict[str, Row] = {
    "cpu_svn": Row("security versions of the processor"),
    "miscselect": Row("what is saved when the enclave is left"),
    "attributes": Row(
        "attributes of the enclave and what it may use",
        unusual=lambda qe: "the quoting enclave is under debug" if qe.attributes[0] & 2 else "",
    ),
    "mrenclave": Row("measurement of the quoting enclave"),
    "mrsigner": Row("who signed it"),
    "isvprodid": Row("which enclave of that signer"),
    "isvsvn": Row("its security version"),
    "report_data": Row("SHA-256 of the attestation key and the authentication data, then zeros"),
}

TD_REPORT: dict[str, Row] = {
    **_REPORT,
    "report_type": Row("type, subtype and version; 81 is TDX"),
    "cpu_svn": Row("security versions of the processor"),
    "tee_tcb_info_hash": Row("SHA-384 of what is said of the TDX module"),
    "tee_info_hash": Row("SHA-384 of what is said of the TD"),
    "mac": Row("only the processor that made it can check this"),
    "valid": Row("which fields of what follows are in use"),
}
