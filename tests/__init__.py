# SPDX-License-Identifier: Apache-2.0
"""The tests: one room for each room of the house, and the contracts over all of them."""
