# SPDX-License-Identifier: Apache-2.0
"""Rules about the repository as a whole, so that a rule which is written down is also executed."""
