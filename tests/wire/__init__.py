# SPDX-License-Identifier: Apache-2.0
"""Tests of `wire`: vectors byte for byte, one broken thing each, any bytes for each parser."""
