# SPDX-License-Identifier: Apache-2.0
"""Fuzz targets: every parser of bytes from outside, with atheris (`make fuzz`) and without."""
