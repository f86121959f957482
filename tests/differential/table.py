# SPDX-License-Identifier: Apache-2.0
"""The table of explanations: each known disagreement, and the words that decide it."""

from __future__ import annotations

from tests.differential.explained import Explanation
from tests.differential.rows_snp import SNP_ROWS
from tests.differential.rows_tdx import TDX_ROWS

EXPLANATIONS: tuple[Explanation, ...] = (*SNP_ROWS, *TDX_ROWS)
