# SPDX-License-Identifier: Apache-2.0
"""Tests of the guest: real sockets and real processes wherever one of them is the subject."""
