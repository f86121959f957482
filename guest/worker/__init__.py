# SPDX-License-Identifier: Apache-2.0
"""The process that sees one request, and the zygote it is forked from (design §3)."""
