# SPDX-License-Identifier: Apache-2.0
"""Programs that run in place of a process of the guest, so that a test can see in or break it.

Each is the production program with one thing changed, which its first lines name.
"""
