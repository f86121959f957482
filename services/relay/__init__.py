# SPDX-License-Identifier: Apache-2.0
"""The oblivious relay (RFC 9458 section 6.2): it knows who asks and nothing of what is asked."""

from services.relay.relay import Relay

__all__ = ["Relay"]
