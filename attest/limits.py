# SPDX-License-Identifier: Apache-2.0
"""Limits of what is read by some and only carried by others: certificates and revocation lists."""

from __future__ import annotations

CERTIFICATE_MAX_BYTES = 4096
CRL_MAX_BYTES = 65536
