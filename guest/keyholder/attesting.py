# SPDX-License-Identifier: Apache-2.0
"""From an epoch to evidence: the statement, the report over it, and what is stapled on.

This runs on a thread of its own, because a platform may take seconds; it touches only public
bytes.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from dataclasses import dataclass
from enum import IntEnum

from attest.endorsements import ENDORSEMENTS_MAX_BYTES, Endorsements, parse_endorsements
from attest.errors import AttestError, FormatError
from attest.evidence import Evidence, write_evidence
from attest.statement import (
    PRODUCT,
    Platform,
    Statement,
    Variant,
    report_data,
    write_statement,
)
from guest.keyholder.stapling import UnendorsedError, choose_endorsements
from guest.keyholder.tsm import Configfs, Provider, TsmError, read_provider, request_report
from guest.sectors import SECTOR_BYTES, without_filling
from guest.settings import Identity, StaplingSettings

PLATFORMS = {Provider.SEV_GUEST: Platform.SEV_SNP, Provider.TDX_GUEST: Platform.TDX}


class Failure(IntEnum):
    """Why there is no evidence, as the journal has it."""

    PLATFORM = 1  # the kernel or the platform gave no report
    REPORT = 2  # what it gave, or what would be stapled to it, is malformed
    BUNDLE = 3  # the operator's endorsement bundle cannot be read
    UNENDORSED = 4  # neither the host nor the operator gave what endorses the report


class AttestationError(Exception):
    """No evidence could be made; ``code`` is for the journal."""

    def __init__(self, code: Failure, why: str) -> None:
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


def attest(
    configfs: Configfs, identity: Identity, stapling: StaplingSettings, claims: Claims
) -> bytes:
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
                lacking=identity.lacking,
                receipt_key=claims.receipt_key,
                checkpoint=None,
            )
        )
        report = request_report(
            configfs, report_data(statement), clock=time.monotonic, sleep=time.sleep
        )
        bundle = None if stapling.endorsements is None else load_bundle(stapling.endorsements)
        endorsements = choose_endorsements(platform, report.outblob, report.auxblob, bundle)
    except TsmError as error:
        raise AttestationError(Failure.PLATFORM, str(error)) from error
    except UnendorsedError as error:
        raise AttestationError(Failure.UNENDORSED, str(error)) from error
    except AttestError as error:
        raise AttestationError(Failure.REPORT, str(error)) from error
    evidence = Evidence(platform=platform, statement=statement, report=report.outblob)
    return write_evidence(evidence, endorsements)


def load_bundle(path: str) -> Endorsements:
    """The operator's endorsement bundle, as it is at this moment.

    Raises:
        AttestationError: it cannot be read, or is not a bundle.
    """
    try:
        data = _read_file(path)
    except OSError as error:
        raise AttestationError(Failure.BUNDLE, f"endorsements: {error.strerror}") from error
    except ValueError as error:
        raise AttestationError(Failure.BUNDLE, f"endorsements: {error}") from error
    try:
        return parse_endorsements(data)
    except FormatError as error:
        raise AttestationError(Failure.BUNDLE, str(error)) from error


def _read_file(path: str) -> bytes:
    """At most a sector more than a bundle has; a pipe or terminal in its place holds up nobody.

    A disk of the host's, in the confidential VM, is read anew each time: its last close forgets it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
            raise OSError(errno.EINVAL, "not a regular file or a disk")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(ENDORSEMENTS_MAX_BYTES + SECTOR_BYTES)
        return without_filling(data, ENDORSEMENTS_MAX_BYTES) if stat.S_ISBLK(mode) else data
    finally:
        os.close(descriptor)
