# SPDX-License-Identifier: Apache-2.0
"""Tests of the room of the same name, without a machine: those are in tests/boot."""
