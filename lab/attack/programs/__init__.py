# SPDX-License-Identifier: Apache-2.0
"""Programs that run in the place of a process of the guest, for attacks on the others.

One needs no model (`stub`); the rest are hostile: what an attacker who owns that process would run.
"""
