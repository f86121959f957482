# SPDX-License-Identifier: Apache-2.0
"""AMD SEV-SNP: report, certificates, chain, rules. `attest.tdx` has the same file names.

Specifications: AMD 56860 (SEV-SNP firmware ABI) and AMD 57230 (VCEK certificate and KDS).
"""
