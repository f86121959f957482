# SPDX-License-Identifier: Apache-2.0
"""Other verifiers in Python, each asked to verify the same evidence; `bench.attest` times them.

They are imported by name from their own environment (requirements/bench-peers.txt). Those that
fetch are given what AMD and Intel published, from memory, in place of their fetching functions, so
that what is timed is verification.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import quote as percent
from urllib.parse import urlsplit

from attest.tdx.quote import parse_quote
from bench.attest_evidence import SnpMaterial, TdxMaterial, pem

Call = Callable[[], object]

# Named, so that nobody asks: why they are not among the timed ones.
LEFT_OUT: Final = {
    "cvm-attest 1.0.0": "not complete: no TCB or chip check, and it passes when AMD is unreachable",
    "tinfoil": "of SNP only Genoa model 0x11, and its lock conflicts with this one's certifi",
    "cevell-tunnel 0.3.1": "not complete: it has no root of AMD's or Intel's",
}


@dataclass(frozen=True)
class Peer:
    """One candidate: what it is called, what it leaves out, and the call that is timed."""

    name: str
    lacks: str
    call: Call


def snp_peers(material: SnpMaterial) -> Iterator[Peer]:
    """Verifiers of SEV-SNP reports."""
    yield Peer(_named("omne-attest"), "CRL, validity", _omne(material))
    yield Peer(_named("dk-tee-attestation"), "CRL, validity, pinned root", _dk_snp(material))
    yield Peer(_named("secretvm-verify"), "CRL expiry, revoked ASK", _secretvm(material))


def tdx_peers(material: TdxMaterial) -> Iterator[Peer]:
    """Verifiers of TDX quotes with collateral."""
    dcap: Any = import_module("dcap_qvl")
    text, at = material.collateral.decode(), int(material.now.timestamp())
    parsed = dcap.QuoteCollateralV3.from_json(text)
    name = _named("dcap-qvl")
    yield Peer(
        f"{name} (Rust), from JSON",
        "RTMRs, MRs",
        lambda: dcap.verify(material.quote, dcap.QuoteCollateralV3.from_json(text), at),
    )
    yield Peer(
        f"{name} (Rust), parsed before",
        "RTMRs, MRs",
        lambda: dcap.verify(material.quote, parsed, at),
    )
    yield Peer(_named("voltage-verify"), "component rule", _voltage(material))
    yield Peer(_named("dk-tee-attestation"), "CRLs, validity, key binding", _dk_tdx(material))


def _named(package: str) -> str:
    return f"{package} {version(package)}"


def _omne(m: SnpMaterial) -> Call:
    omne: Any = import_module("omne_attest")
    policy = omne.Policy(measurement=m.measurement, report_data=m.report_data, max_vmpl=0)
    pin = sha256(m.ark).digest()
    return lambda: omne.verify(m.report, m.vek, m.ask, m.ark, pin, policy)


def _dk_snp(m: SnpMaterial) -> Call:
    module: Any = import_module(
        "dk_tee_attestation.amd_sev_snp_attestation_report_verification_utils"
    )
    chain = (pem(m.ask) + pem(m.ark)).encode()
    answers = {"cert_chain": chain}
    module.requests = SimpleNamespace(get=_replay(answers, m.vek))
    verify = module.AmdSevSnpVerifier.verify_amd_sev_snp_attestation_report
    return lambda: verify(m.report, m.report_data)


def _secretvm(m: SnpMaterial) -> Call:
    module: Any = import_module("secretvm.verify.amd")
    chain = (pem(m.ask) + pem(m.ark)).encode()
    load = module.load_der_x509_certificate
    vars(module).update(
        _amd_fetch_vcek=lambda *_, **__: (load(m.vek), m.vek, m.line),
        _amd_fetch_chain_pem=lambda *_, **__: chain,
        _amd_fetch_crl=lambda *_, **__: m.crl,
    )
    text = m.report.hex()

    def call() -> object:
        result = module.check_sev_cpu_attestation(text, m.line)
        if not result.valid:
            raise ValueError(result.errors)
        return result

    return call


def _voltage(m: TdxMaterial) -> Call:
    tdx, pcs = import_module("voltage_verify.tdx"), import_module("voltage_verify.pcs")
    read: Any = json.loads(m.collateral)
    documents = {
        name: pcs.SignedDocument(name, _body(read, name), read[f"{name}_issuer_chain"])
        for name in ("tcb_info", "qe_identity")
    }
    collateral = pcs.Collateral(
        **documents,
        pck_crl_pem=pem(bytes.fromhex(read["pck_crl"]), "X509 CRL"),
        root_crl_der_b64=base64.b64encode(bytes.fromhex(read["root_ca_crl"])).decode(),
    )

    def call() -> object:
        quote = tdx.parse_quote(m.quote, allow_trailing=True)
        tdx.verify_signatures(quote, at=m.now)
        found = pcs.evaluate(quote, tdx.pck_info(quote.pck_leaf), collateral, at=m.now)
        pcs.check_revocation(quote, collateral, at=m.now)
        return found

    return call


def _dk_tdx(m: TdxMaterial) -> Call:
    module: Any = import_module(
        "dk_tee_attestation.intel_tdx_attestation_report_verification_utils"
    )
    read: Any = json.loads(m.collateral)
    issuers = {
        "tcb": ("TCB-Info-Issuer-Chain", "tcb_info"),
        "identity": ("SGX-Enclave-Identity-Issuer-Chain", "qe_identity"),
    }

    def get(url: str, **_: object) -> object:
        header, name = issuers[urlsplit(url).path.rpartition("/")[2]]
        return SimpleNamespace(
            content=_body(read, name).encode(),
            text=_body(read, name),
            headers={header: percent(read[f"{name}_issuer_chain"])},
            raise_for_status=lambda: None,
        )

    module.requests = SimpleNamespace(get=get)
    expected = parse_quote(m.quote).body.report_data
    verify = module.IntelTdxVerifier.verify_intel_tdx_attestation_report
    return lambda: verify(m.quote, expected)


def _body(collateral: dict[str, str], name: str) -> str:
    """A document as Intel's service sends it."""
    key = {"tcb_info": "tcbInfo", "qe_identity": "enclaveIdentity"}[name]
    return f'{{"{key}":{collateral[name]},"signature":"{collateral[f"{name}_signature"]}"}}'


def _replay(answers: dict[str, bytes], otherwise: bytes) -> Callable[..., object]:
    """A `requests.get` that answers from memory, by the last part of the path."""

    def get(url: str, **_: object) -> object:
        content = answers.get(urlsplit(url).path.rpartition("/")[2], otherwise)
        return SimpleNamespace(content=content, raise_for_status=lambda: None)

    return get
