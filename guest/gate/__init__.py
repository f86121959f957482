# SPDX-License-Identifier: Apache-2.0
"""The process with the network: one gRPC service, ciphertext, limits, a queue and deadlines.

It has no key, no plaintext and no model, and cannot import what would need one.
"""
