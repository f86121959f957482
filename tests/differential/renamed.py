# SPDX-License-Identifier: Apache-2.0
"""The mock Intel's evidence under a root whose name lacks the mark.

go-tdx-guest demands the common name "Intel SGX Root CA" of any root, so it refuses the mock's name
before it looks at anything else. What the mock root issued, or another root of its name, is issued
again under that name and by the same key; every other byte, a wrong signature included, stays.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from dataclasses import replace
from functools import lru_cache

from attest.der import SEQUENCE, Der
from attest.errors import FormatError
from attest.tdx.certificate import intel_name
from attest.tdx.quote import PCK_CHAIN_PEM, QE_REPORT_CERTIFICATION, parse_quote
from attest.tdx.roots import IntelRoot, load_intel_root
from lab.mocktsm.der import element
from lab.mocktsm.intel_pki import OTHER_ROOT, Signer, pem, root_certificate
from lab.mocktsm.intel_pki import ROOT as MARKED
from lab.mocktsm.tdx_quote import certification

UNMARKED = Signer(intel_name("Intel SGX Root CA"), MARKED.label)
ROOT: IntelRoot = load_intel_root(root_certificate(UNMARKED))

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----\n", re.DOTALL)
_LISTS = ("root_ca_crl", "pck_crl")
_CHAINS = ("pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain")


@lru_cache(maxsize=256)
def renamed(der: bytes) -> bytes:
    """A certificate or list; another's is returned as it came.

    Raises:
        FormatError: not a signed structure.
    """
    reader = Der("signed", der)
    tbs, algorithm_element, signature = reader.fields(reader.whole(), 3)
    algorithm = reader.raw(algorithm_element)
    reader.bits(signature)
    signers = (
        replace(UNMARKED, label=s.label)
        for s in (MARKED, OTHER_ROOT)
        if s.sign(reader.raw(tbs), algorithm) == der
    )
    if (signer := next(signers, None)) is None:
        return der
    parts = []
    for part in reader.inside(tbs):
        raw = reader.raw(part, part[0])
        parts.append(UNMARKED.name if raw == MARKED.name else raw)
    return signer.sign(element(SEQUENCE, *parts), algorithm)


def renamed_pem(text: str) -> str:
    """Every certificate of a PEM text."""
    return _BLOCK.sub(lambda block: pem(renamed(b64decode(block[1]))), text)


def renamed_quote(data: bytes) -> bytes:
    """A quote with other certificates; no signature of it is over them.

    Raises:
        FormatError: not a quote.
    """
    quote = parse_quote(data)
    chain = renamed_pem(quote.pck_chain.decode("ascii")).encode()
    auth = len(quote.auth_data).to_bytes(2, "little") + quote.auth_data
    inner = certification(PCK_CHAIN_PEM, chain)
    outer = certification(
        QE_REPORT_CERTIFICATION, quote.qe_report_bytes + quote.qe_signature + auth + inner
    )
    tail = quote.signature + quote.attestation_key + outer
    return quote.signed + len(tail).to_bytes(4, "little") + tail + quote.trailing


def renamed_collateral(data: bytes) -> bytes:
    """Collateral with other chains and lists."""
    members = json.loads(data)
    for name in _CHAINS:
        if name in members:
            members[name] = renamed_pem(members[name])
    for name in _LISTS:
        try:
            members[name] = renamed(bytes.fromhex(members[name])).hex()
        except (FormatError, KeyError, ValueError):
            continue
    return json.dumps(members).encode()
