# SPDX-License-Identifier: Apache-2.0
"""What `sealroom attack` takes from the lab: the rows, and a fresh deployment to run them on."""

from lab.attack.site import LabSite, fresh
from lab.attack.table import ATTACKS

__all__ = ["ATTACKS", "LabSite", "fresh"]
