# SPDX-License-Identifier: Apache-2.0
"""What only an SEV-SNP or TDX guest can show; `python -m tests.hardware` runs it all."""
