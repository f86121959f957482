# SPDX-License-Identifier: Apache-2.0
"""A table of real evidence: what is expected of each item, and what `attest` makes of it."""
