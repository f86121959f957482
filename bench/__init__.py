# SPDX-License-Identifier: Apache-2.0
"""Measurements, each a command; what they found is kept as JSON under bench/results/."""
