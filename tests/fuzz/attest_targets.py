# SPDX-License-Identifier: Apache-2.0
"""The parsers of `attest`, and whole verifications: each raises `AttestError` or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from attest import AttestError, amd_roots, parse_evidence, write_evidence
from attest.azure import parse_hcl
from attest.canonical import read_canonical, write_canonical
from attest.endorsements import SnpEndorsements, parse_endorsements, write_endorsements
from attest.log.checkpoint import parse_checkpoint
from attest.log.keys import parse_vkey
from attest.log.note import parse_note
from attest.log.policy import parse_log_policy
from attest.log.proof import parse_proof
from attest.log.verify import verify_logged
from attest.ovmf import parse_ovmf
from attest.policy import read_policy, write_policy
from attest.receipt import parse_receipt, write_receipt
from attest.roots import intel_roots
from attest.snp.certificate import parse_vek
from attest.snp.certtable import parse_certificate_table
from attest.snp.launch.firmware import read_firmware as read_snp_firmware
from attest.snp.launch.id_block import IdBlock, parse_id_block, write_signature
from attest.snp.report import parse_report
from attest.snp.roots import load_root
from attest.statement import parse_statement, write_statement
from attest.tdx.certificate import parse_pck_chain
from attest.tdx.collateral import parse_collateral
from attest.tdx.launch.authenticode import authenticode
from attest.tdx.launch.registers import read_firmware as read_tdx_firmware
from attest.tdx.launch.tdvf import parse_tdvf
from attest.tdx.quote import parse_quote
from attest.tdx.roots import load_intel_root
from attest.tdx.tcb_info import parse_qe_identity, parse_tcb_info
from attest.tdx.td_report import parse_td_report
from attest.x509 import parse_certificate, parse_crl
from lab.mocktsm import MockSnp
from lab.mocktsm.sev_guest import certificate_table
from tests.attest import ovmf, test_azure, test_receipt
from tests.attest.case import good
from tests.attest.log import small_log
from tests.attest.snp import evidence as snp
from tests.attest.snp.launch import test_id_block
from tests.attest.tdx import evidence as tdx
from tests.attest.tdx.case import TdxCase
from tests.attest.tdx.launch import pe
from tests.fuzz.target import Target

ERRORS = (AttestError,)
GOOD = good()
GOOD_TDX = TdxCase()
LOG = small_log.SmallLog([b"one", b"two", b"three"])
ROOT = amd_roots().amd[0]
ARK = ROOT.ark.certificate.der


def veks() -> list[bytes]:
    return [sample.endorsements.vek for sample in snp.samples()]


def crls() -> Iterator[bytes]:
    yield from (snp.load(f"crl/{line}.der") for line in ("milan", "genoa"))
    for members in collaterals():
        yield bytes.fromhex(members["pck_crl"])
        yield bytes.fromhex(members["root_ca_crl"])


def collaterals() -> list[dict[str, str]]:
    return [json.loads(bundle.collateral) for bundle in tdx.bundles().values()]


def documents(name: str) -> list[bytes]:
    return [members[name].encode() for members in collaterals()]


def quotes() -> list[bytes]:
    return [bundle.quote for bundle in tdx.bundles().values()]


def verify_evidence(data: bytes) -> object:
    evidence, endorsements = parse_evidence(data)
    return replace(GOOD, evidence=evidence, endorsements=endorsements).verify()


def verify_report(data: bytes) -> object:
    return replace(GOOD, evidence=replace(GOOD.evidence, report=data)).verify()


def verify_vek(data: bytes) -> object:
    return replace(GOOD, endorsements=SnpEndorsements(vek=data, crl=None)).verify()


def verify_quote(data: bytes) -> object:
    return replace(GOOD_TDX, quote=data).verify()


def verify_collateral(data: bytes) -> object:
    return replace(GOOD_TDX, collateral=data).verify()


def verify_log(data: bytes) -> object:
    trusted = parse_log_policy(small_log.POLICY)
    return verify_logged(LOG.entries[1], data, trusted, now=small_log.NOW)


def policy(data: bytes) -> Any:
    return read_policy(read_canonical(data, "policy", 65536))


def policies() -> list[bytes]:
    return [write_canonical(write_policy(GOOD.policy))]


def own_vek() -> list[bytes]:
    return [GOOD.endorsements.vek] if isinstance(GOOD.endorsements, SnpEndorsements) else []


def tables() -> list[bytes]:
    chip = MockSnp()
    return [b"", certificate_table(chip, chip.certificate)]


def hcl() -> list[bytes]:
    return [test_azure.load(f"{name}/hcl.bin") for name in test_azure.NAMES]


def td_reports() -> list[bytes]:
    return [parse_hcl(test_azure.load("tdx/hcl.bin")).report]


def envelope() -> list[bytes]:
    return [write_evidence(GOOD.evidence, GOOD.endorsements)]


def target(name: str, parse: Any, seeds: Any, **more: Any) -> Target:
    return Target(name=name, parse=parse, errors=ERRORS, seeds=seeds, **more)


TARGETS = (
    target("snp-report", parse_report, lambda: [s.report for s in snp.samples()]),
    target("snp-certificate-table", parse_certificate_table, tables),
    target("snp-vek", parse_vek, veks),
    target(
        "snp-authority",
        lambda data: load_root(ROOT.line, ark=ARK, ask=data, asvk=None),
        lambda: [ROOT.ask.certificate.der],
    ),
    target("intel-root", load_intel_root, lambda: [intel_roots().intel[0].der]),
    target("tdx-td-report", parse_td_report, td_reports),
    target("x509-certificate", parse_certificate, veks),
    target("x509-crl", parse_crl, crls),
    target(
        "snp-id-block", parse_id_block, lambda: [test_id_block.BLOCK.write()], write=IdBlock.write
    ),
    target("snp-id-signature", write_signature, lambda: [test_id_block.ONE_AND_TWO]),
    target("snp-firmware", read_snp_firmware, lambda: [ovmf.snp()]),
    target("ovmf-table", parse_ovmf, lambda: [ovmf.snp(), ovmf.tdx()]),
    target("tdx-quote", parse_quote, quotes),
    target("tdx-pck-chain", parse_pck_chain, lambda: [parse_quote(q).pck_chain for q in quotes()]),
    target(
        "tdx-collateral",
        parse_collateral,
        lambda: [bundle.collateral for bundle in tdx.bundles().values()],
    ),
    target("tdx-tcb-info", parse_tcb_info, lambda: documents("tcb_info")),
    target("tdx-qe-identity", parse_qe_identity, lambda: documents("qe_identity")),
    target("tdx-tdvf", parse_tdvf, lambda: [ovmf.tdx()]),
    target("tdx-firmware", read_tdx_firmware, lambda: [ovmf.tdx()]),
    target("tdx-authenticode", authenticode, lambda: [pe.mint(), pe.mint(signatures=64)]),
    target("azure-hcl", parse_hcl, hcl),
    target("statement", parse_statement, lambda: [GOOD.evidence.statement], write=write_statement),
    target("receipt", parse_receipt, lambda: [test_receipt.WRITTEN], write=write_receipt),
    target("evidence", parse_evidence, envelope, write=lambda both: write_evidence(*both)),
    target(
        "endorsements",
        parse_endorsements,
        lambda: [write_endorsements(GOOD.endorsements)],
        write=write_endorsements,
    ),
    target(
        "canonical-json",
        lambda data: read_canonical(data, "document", 65536),
        lambda: [b"{}", b'{"a":[1,true,null,"\xc3\xa9"]}', *policies()],
        write=write_canonical,
    ),
    target("policy", policy, policies),
    target("log-note", parse_note, lambda: [LOG.checkpoint().encode()]),
    target("log-checkpoint", parse_checkpoint, lambda: [LOG.checkpoint().encode()]),
    target("log-proof", parse_proof, lambda: [LOG.proof(1)]),
    target("log-policy", parse_log_policy, lambda: [small_log.POLICY]),
    target(
        "log-vkey",
        lambda data: parse_vkey(data.decode("latin-1")),
        lambda: [small_log.LOG.vkey.encode(), small_log.EAST.vkey.encode()],
    ),
    target("verify-log", verify_log, lambda: [LOG.proof(1)]),
    target("verify-evidence", verify_evidence, envelope),
    target("verify-report", verify_report, lambda: [GOOD.evidence.report]),
    target("verify-vek", verify_vek, own_vek),
    target("verify-quote", verify_quote, lambda: [GOOD_TDX.quote]),
    target("verify-collateral", verify_collateral, lambda: [GOOD_TDX.collateral]),
)
