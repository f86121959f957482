# SPDX-License-Identifier: Apache-2.0
"""Whose key signs reports (AMD 57230 §1): a chip's or a cloud's.

A policy names the kinds and a certificate is of one. It stands alone because reading a policy needs
the words and not what reads certificates.
"""

from __future__ import annotations

from enum import StrEnum


class KeyKind(StrEnum):
    """Whose key signs reports. The value is the one used in policies."""

    VCEK = "vcek"
    VLEK = "vlek"
