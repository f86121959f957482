# SPDX-License-Identifier: Apache-2.0
"""Mutation of `attest`: each check switched off in turn, to see that a test notices."""
