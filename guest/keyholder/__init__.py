# SPDX-License-Identifier: Apache-2.0
"""The process with the keys: key life, the TSM, the door to the workers, receipts.

It has no network, no plaintext and no model. Each message that reaches it is one of `guest.door`.
"""
