# SPDX-License-Identifier: Apache-2.0
"""Intel TDX: quote, certificates, collateral, chain, rules. `attest.snp` has the same file names.

Specifications: Intel TDX DCAP Quoting Library API (quote formats 4 and 5), Intel SGX PCK
Certificate and CRL Profile, Intel PCS API version 4, and the Quote Verification Library as their
reference.
"""
