# SPDX-License-Identifier: Apache-2.0
"""From an epoch to evidence: the statement, the report over it, and what is stapled on.

This runs on a thread of its own, because a platform may take seconds; it touches only public
bytes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from attest.errors import AttestError
from attest.evidence import Evidence, SnpEndorsements, write_evidence
from attest.snp.certtable import parse_certificate_table, vek_for
from attest.statement import (
    PRODUCT,
    Platform,
    Statement,
    Variant,
    report_data,
    write_statement,
)
from guest.keyholder.tsm import Configfs, Provider, TsmError, read_provider, request_report
from guest.settings import Identity

PLATFORMS = {Provider.SEV_GUEST: Platform.SEV_SNP, Provider.TDX_GUEST: Platform.TDX}


class AttestationError(Exception):
    """No evidence could be made; ``code`` is for the journal."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class Claims:
    """The public side of an epoch, as it goes into the statement."""

    epoch: int
    not_before: int
    not_after: int
    key_configs: tuple[bytes, ...]
    receipt_key: bytes


def attest(configfs: Configfs, identity: Identity, claims: Claims) -> bytes:
    """The evidence object for these claims.

    Raises:
        AttestationError: the platform gave no report, or none that can be endorsed.
    """
    try:
        platform = PLATFORMS[read_provider(configfs)]
        statement = write_statement(
            Statement(
                product=PRODUCT,
                variant=Variant(identity.variant.value),
                platform=platform,
                key_configs=claims.key_configs,
                not_before=claims.not_before,
                not_after=claims.not_after,
                epoch=claims.epoch,
                model=identity.model,
                prompts=identity.prompts,
                configuration=identity.configuration,
                receipt_key=claims.receipt_key,
                checkpoint=None,
            )
        )
        report = request_report(
            configfs, report_data(statement), clock=time.monotonic, sleep=time.sleep
        )
        if platform is not Platform.SEV_SNP:
            raise AttestationError(3, f"evidence for {platform} cannot be made yet")
        vek = vek_for(report.outblob, parse_certificate_table(report.auxblob))
    except TsmError as error:
        raise AttestationError(1, str(error)) from error
    except AttestError as error:
        raise AttestationError(2, str(error)) from error
    if vek is None:
        raise AttestationError(4, "the host gave no certificate for the key that signed the report")
    evidence = Evidence(platform=platform, statement=statement, report=report.outblob)
    return write_evidence(evidence, SnpEndorsements(vek=vek, crl=None))
