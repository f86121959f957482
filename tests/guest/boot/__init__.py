# SPDX-License-Identifier: Apache-2.0
"""Tests of the room of the same name. The machine itself boots in `tests/boot`."""
