# SPDX-License-Identifier: Apache-2.0
"""Programs with one defence taken out: the product's own, patched before they start.

They exist in the test tree only; `tests.attack.defences` says which attack each lets through.
"""
