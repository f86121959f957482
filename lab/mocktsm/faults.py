# SPDX-License-Identifier: Apache-2.0
"""How the kernel's interface and the host behind it fail. What is then read is no report at all.

Reports and quotes that are whole and wrong are in `lab.mocktsm.snp_faults` and
`lab.mocktsm.tdx_faults`, by the rule of the verifier that they break.
"""

from __future__ import annotations

from enum import StrEnum


class FaultKind(StrEnum):
    """One way in which a report request is spoiled."""

    BUSY = "busy"  # reading outblob fails with EBUSY
    MEDDLING_WRITER = "meddling-writer"  # somebody else writes to the entry meanwhile
    SLOW = "slow"  # the firmware takes `SLOW_S` to answer
    SHORT_BLOB = "short-blob"  # outblob is cut off
    WRONG_PROVIDER = "wrong-provider"  # another platform's driver answers
    NO_PROVIDER = "no-provider"  # making an entry fails with ENXIO
    NO_CERTIFICATES = "no-certificates"  # SEV-SNP: auxblob is empty
    LOST_COMMIT = "lost-commit"  # the write of inblob is lost, without an error
    TIMED_OUT = "timed-out"  # reading outblob fails with ETIMEDOUT
    IO_ERROR = "io-error"  # reading outblob fails with EIO: the firmware or the host failed
    WIPED_KEY = "wiped-key"  # SEV-SNP: ENOTTY, the message key is gone until a reboot
