# SPDX-License-Identifier: Apache-2.0
"""The mock platform: the kernel's configfs-tsm interface, a mock chip behind it, a mock AMD above.

It takes the place of the hardware and of nothing else, so that the guest's and the device's real
code run on an ordinary host. Its roots are just other roots: under the pinned ones it is refused.
"""

from lab.mocktsm.configfs import MockTsm
from lab.mocktsm.faults import FaultKind, FaultPlan
from lab.mocktsm.pki import mock_roots
from lab.mocktsm.snp import MOCK_MEASUREMENT, MockSnp
from lab.mocktsm.trust import mock_policy, mock_policy_mapping

__all__ = [
    "MOCK_MEASUREMENT",
    "FaultKind",
    "FaultPlan",
    "MockSnp",
    "MockTsm",
    "mock_policy",
    "mock_policy_mapping",
    "mock_roots",
]
