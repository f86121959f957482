# SPDX-License-Identifier: Apache-2.0
"""Tests of the SDK: real sockets, a real gateway written from `wire`, one broken thing per test."""
