# SPDX-License-Identifier: Apache-2.0
"""What `attest` remembers of evidence from one verification to the next (docs/adr/0014).

Each is a function of its arguments' exact bytes and of nothing else: what they parse to, or that a
signature over them holds under a key. Nothing that failed is remembered, and neither is a verdict:
whether a certificate or a list is in force, and what a list revokes, is asked again each time. Each
has a number of entries that it never exceeds.
"""

from __future__ import annotations

from attest.snp.certificate import parse_vek
from attest.snp.roots import verify_pss
from attest.tdx.certificate import parse_base64, parse_pck_chain
from attest.tdx.collateral import parse_collateral
from attest.tdx.roots import p256_key, parse_holder, verify_p256
from attest.x509 import parse_crl

REMEMBERED = (
    parse_vek,  # by the certificate
    parse_crl,  # by the list
    verify_pss,  # by the key, the signature and the bytes it is over
    parse_base64,  # of a certificate in PEM, by the text
    parse_pck_chain,  # by the PEM in the quote
    parse_collateral,  # by the JSON
    parse_holder,  # by the certificate and the role it is read for
    p256_key,  # by the point
    verify_p256,  # by the key, the signature and the bytes: the QE report's among them
)


def forget() -> None:
    """Forget all of it: the next verification is as if it were the first."""
    for function in REMEMBERED:
        function.cache_clear()
