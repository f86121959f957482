# SPDX-License-Identifier: Apache-2.0
"""Intel's ratings of a platform and of its parts (PCS API version 4, TCB information).

A policy names those that it accepts and a verification finds one. They stand alone because reading
a policy needs the words and not what reads Intel's documents.
"""

from __future__ import annotations

from enum import StrEnum

ADVISORY_MAX_CHARACTERS = 64


class TcbStatus(StrEnum):
    """Intel's rating of a platform, in Intel's words; the last two are of a whole evaluation."""

    UP_TO_DATE = "UpToDate"
    SW_HARDENING_NEEDED = "SWHardeningNeeded"
    CONFIGURATION_NEEDED = "ConfigurationNeeded"
    CONFIGURATION_AND_SW_HARDENING_NEEDED = "ConfigurationAndSWHardeningNeeded"
    OUT_OF_DATE = "OutOfDate"
    OUT_OF_DATE_CONFIGURATION_NEEDED = "OutOfDateConfigurationNeeded"
    REVOKED = "Revoked"
    RELAUNCH_ADVISED = "TDRelaunchAdvised"
    RELAUNCH_ADVISED_CONFIGURATION_NEEDED = "TDRelaunchAdvisedConfigurationNeeded"


PLATFORM_STATUSES = frozenset(TcbStatus) - {
    TcbStatus.RELAUNCH_ADVISED,
    TcbStatus.RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
}
# Of a TDX module or quoting enclave Intel's library reads no others either (IdentityTcbLevel.cpp).
PART_STATUSES = frozenset({TcbStatus.UP_TO_DATE, TcbStatus.OUT_OF_DATE, TcbStatus.REVOKED})
