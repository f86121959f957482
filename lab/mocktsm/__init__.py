# SPDX-License-Identifier: Apache-2.0
"""The mock platforms: the kernel's configfs-tsm, mock hardware behind it, mock vendors above it.

It takes the place of the hardware and of nothing else, so that the guest's and the device's real
code run on an ordinary host. Its roots are just other roots: under the pinned ones it is refused.
"""

from lab.mocktsm.configfs import MockTsm
from lab.mocktsm.fault_plan import FaultPlan
from lab.mocktsm.faults import FaultKind
from lab.mocktsm.intel_pki import mock_intel_roots
from lab.mocktsm.pki import mock_roots
from lab.mocktsm.snp import MOCK_MEASUREMENT, MockSnp
from lab.mocktsm.snp_faults import SnpFault
from lab.mocktsm.tdx import MockTdx
from lab.mocktsm.tdx_faults import TdxFault
from lab.mocktsm.trust import mock_policy, mock_policy_mapping, roots_of

__all__ = [
    "MOCK_MEASUREMENT",
    "FaultKind",
    "FaultPlan",
    "MockSnp",
    "MockTdx",
    "MockTsm",
    "SnpFault",
    "TdxFault",
    "mock_intel_roots",
    "mock_policy",
    "mock_policy_mapping",
    "mock_roots",
    "roots_of",
]
