# SPDX-License-Identifier: Apache-2.0
"""Tests against peers from another ecosystem. `make interop` installs them and runs these."""
