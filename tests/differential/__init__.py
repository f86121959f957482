# SPDX-License-Identifier: Apache-2.0
"""Differential runs: the same evidence through our verifier and through others' libraries.

`python -m tests.differential` builds the peers, asks everybody about every item, and fails on a
disagreement that `tests.differential.explained` does not explain in the specification's words.
"""
