# SPDX-License-Identifier: Apache-2.0
"""Evidence of confidential guests and its verification.

Bytes and a time come in, a `VerifiedGuest` comes out or `Refused` is raised. There is no I/O, no
clock and no logging in this package, and no way to a verified guest but `verify`. Modules are
imported as they are needed, the last with a platform's first evidence: see `attest.verify.load`.
"""

from attest.errors import AttestError, FormatError
from attest.evidence import Evidence, SnpEndorsements, parse_evidence, write_evidence
from attest.findings import Finding, Reason, Refused, Stage
from attest.policy import read_policy
from attest.result import VerifiedGuest
from attest.roots import Roots, amd_roots
from attest.verify import verify

__all__ = [
    "AttestError",
    "Evidence",
    "Finding",
    "FormatError",
    "Reason",
    "Refused",
    "Roots",
    "SnpEndorsements",
    "Stage",
    "VerifiedGuest",
    "amd_roots",
    "parse_evidence",
    "read_policy",
    "verify",
    "write_evidence",
]
