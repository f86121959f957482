# SPDX-License-Identifier: Apache-2.0
"""Tests of the whole path over real processes: device, relay, ingress, and a guest with a model."""
