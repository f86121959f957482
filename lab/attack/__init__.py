# SPDX-License-Identifier: Apache-2.0
"""The attacks that need the inside of a deployment: its platform, its host, its processes.

`sealroom attack` finds this package by name (`sealroom.attack.lab_part`) where `lab` is installed.
"""

from lab.attack.site import LabSite, fresh
from lab.attack.table import ATTACKS

__all__ = ["ATTACKS", "LabSite", "fresh"]
