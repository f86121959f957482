# SPDX-License-Identifier: Apache-2.0
"""Intel TDX. The room is kept: until it is built, `attest.verify` refuses the platform by name."""
