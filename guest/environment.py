# SPDX-License-Identifier: Apache-2.0
"""The environment of every process of the guest, whole; nothing from outside gets into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ENVIRONMENT: Final[Mapping[str, str]] = {
    "LANG": "C.UTF-8",
    "PATH": "/nonexistent",
    "HOME": "/nonexistent",
}
