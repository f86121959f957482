# SPDX-License-Identifier: Apache-2.0
"""Drafts of policies: a strict one to fill in, and one that pins what given evidence claims.

Both are documents as `attest.read_policy` reads them. The strict draft lacks the digests and the
chips that only its user can know: those lists are empty, and a policy with an empty list is refused
by name until it is filled in. A pinned draft is as good as the evidence it came from, whose
signature it does not look at: it is made to vary one thing at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attest.closed import write_record
from attest.policy import Policy, StatementPolicy, write_policy
from attest.snp import floors
from attest.snp.claims import Claims
from attest.snp.policy import (
    AbiFloor,
    FirmwareFloor,
    PlatformBit,
    ProductPolicy,
    SnpPolicy,
    TcbFloor,
)
from attest.snp.product import Component, ProductLine
from attest.snp.report import VMPL_HOST
from attest.snp.tcb import Tcb
from attest.statement import PRODUCT, Statement
from attest.tdx.policy import TdxPolicy
from sealroom.errors import InputError
from sealroom.policy_file import POLICY_FORMAT, ReportPolicy
from sealroom.tdx_drafts import strict_tdx

Document = dict[str, Any]

STRICT_LINES = (ProductLine.GENOA, ProductLine.TURIN)
KEY_LIFE_S = 3600
_NOT_ON_MILAN = {"ciphertext-hiding", "rapl-disabled", "page-swap-disabled"}


def strict(lines: Iterable[ProductLine], *, tdx: bool = False) -> Document:
    """A policy that leaves nothing open that these platforms can close, to be filled in."""
    chosen = tuple(dict.fromkeys(lines))
    return {
        "format": POLICY_FORMAT,
        "snp": _strict_snp(chosen) if chosen else "none",
        "tdx": strict_tdx() if tdx else "none",
        "statement": {
            "products": [PRODUCT],
            "variants": ["production"],
            "life_s": str(KEY_LIFE_S),
            "models": [],
            "prompts": [],
            "configurations": [],
            "lacking": [],
        },
    }


def pinned(snp: SnpPolicy | None, tdx: TdxPolicy | None, statement: Statement | None) -> Document:
    """A policy that demands this of the report, and exactly the statement if there is one."""
    if statement is None:
        return _format_first(write_record(ReportPolicy(snp=snp, tdx=tdx)))
    told = StatementPolicy(
        products=frozenset({statement.product}),
        variants=frozenset({statement.variant}),
        life_s=statement.not_after - statement.not_before,
        models=frozenset({statement.model}),
        prompts=frozenset({statement.prompts}),
        configurations=frozenset({statement.configuration}),
        lacking=frozenset(statement.lacking),
    )
    return _format_first(write_policy(Policy(snp=snp, tdx=tdx, statement=told)))


def _format_first(document: Document) -> Document:
    return {"format": document["format"]} | document


def pinned_snp(claims: Claims) -> SnpPolicy:
    """What accepts exactly the report and certificate that claim this.

    Raises:
        InputError: no policy can accept them, for the host asked for the report.
    """
    report, vek = claims.report, claims.vek
    if report.vmpl == VMPL_HOST:
        raise InputError("report", "one requested by the guest", "one requested by the host")
    major, minor, build = claims.firmware
    product = ProductPolicy(
        line=claims.line,
        reported_tcb=_floor(claims.reported),
        committed_tcb=_floor(claims.committed),
        launch_tcb=_floor(claims.launch),
        firmware=FirmwareFloor(major=major, minor=minor, build=build),
        mitigations=claims.mitigations,
    )
    abi_major, abi_minor = claims.abi
    return SnpPolicy(
        versions=frozenset({report.version}),
        keys=frozenset({vek.kind}),
        csp_ids=frozenset() if vek.csp_id is None else frozenset({vek.csp_id}),
        masked_chip_id=report.chip_id_masked and vek.hwid is not None,
        chips=None if report.chip_id_masked else frozenset({report.chip_id}),
        require_crl=False,
        products=(product,),
        vmpls=frozenset({report.vmpl}),
        abi=AbiFloor(major=abi_major, minor=abi_minor),
        guest_allows=claims.permissions,
        guest_requires=claims.requirements,
        platform_has=claims.platform,
        platform_lacks=frozenset(PlatformBit) - claims.platform,
        guest_svn=report.guest_svn,
        measurements=frozenset({report.measurement}),
        host_data=frozenset({report.host_data}),
        family_ids=frozenset({report.family_id}),
        image_ids=frozenset({report.image_id}),
        id_keys=frozenset({report.id_key_digest}),
        author_keys=frozenset({claims.author_key}),
    )


def strict_product(line: ProductLine) -> Document:
    """The floors of one line that close every advisory of `attest.snp.floors`."""
    svns = floors.highest(line)
    tcb = {component.value: str(svns.get(component, 0)) for component in Component}
    return {
        "line": line.value,
        "reported_tcb": tcb,
        "committed_tcb": tcb,
        "launch_tcb": tcb,
        "firmware": {"major": "0", "minor": "0", "build": "0"},
        "mitigations": str(floors.mitigations(line)),
    }


def _strict_snp(chosen: tuple[ProductLine, ...]) -> Document:
    absent = _NOT_ON_MILAN if ProductLine.MILAN in chosen else set()
    required = ["ciphertext-hiding", "page-swap-disabled", "rapl-disabled"]
    return {
        "versions": ["5"],
        "keys": ["vcek"],
        "csp_ids": [],
        "masked_chip_id": "false",
        "chips": [],
        "require_crl": "true",
        "products": [strict_product(line) for line in chosen],
        "vmpls": ["0"],
        "abi": {"major": "0", "minor": "0"},
        "guest_allows": [],
        "guest_requires": [word for word in required if word not in absent],
        "platform_has": ["alias-check", "iommu-write-safe"],
        "platform_lacks": ["smt"],
        "guest_svn": "0",
        "measurements": [],
        "host_data": ["00" * 32],
        "family_ids": ["00" * 16],
        "image_ids": ["00" * 16],
        "id_keys": ["00" * 48],
        "author_keys": ["00" * 48],
    }


def _floor(tcb: Tcb) -> TcbFloor:
    versions = {component.value: svn for component, svn in tcb.versions.items()}
    return TcbFloor(**dict.fromkeys(TcbFloor.__dataclass_fields__, 0) | versions)
