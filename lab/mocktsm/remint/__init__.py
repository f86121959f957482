# SPDX-License-Identifier: Apache-2.0
"""Proof that the mock is exact: real evidence, minted again with mock keys and its own values.

    python -m lab.mocktsm.remint FOLDER

Of a report or quote every byte must come out again but for signatures and keys; of a certificate
or list every value in its place but for signatures, keys, what is derived from keys, and names.
"""
