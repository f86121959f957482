# SPDX-License-Identifier: Apache-2.0
"""The operator's door on the host: HTTP in, the guests' gRPC out, opaque in both directions."""

from services.ingress.address import GuestAddress, parse_address
from services.ingress.ingress import Ingress

__all__ = ["GuestAddress", "Ingress", "parse_address"]
