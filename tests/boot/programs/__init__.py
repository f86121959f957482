# SPDX-License-Identifier: Apache-2.0
"""Programs that tests put into a booted image."""
