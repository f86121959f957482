# SPDX-License-Identifier: Apache-2.0
"""Boots of the image under qemu."""
