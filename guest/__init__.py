# SPDX-License-Identifier: Apache-2.0
"""What runs inside the confidential VM: init, the gate, the keyholder, the zygote (design §3)."""
