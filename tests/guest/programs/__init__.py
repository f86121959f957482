# SPDX-License-Identifier: Apache-2.0
"""Small programs that the tests have run as real processes."""
