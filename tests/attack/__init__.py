# SPDX-License-Identifier: Apache-2.0
"""Every attack of `sealroom attack` is refused, and succeeds once the defence is taken away."""
