# SPDX-License-Identifier: Apache-2.0
"""The formats on the wire: HPKE, Oblivious HTTP, Binary HTTP, and what is inside. No I/O.

suites, kem, hpke      which algorithms, and one context started from a shared secret (RFC 9180)
keyconfig              how a gateway names its key (RFC 9458 §3)
ohttp, chunks, chunked whole and chunked sealed messages (RFC 9458 §4, chunked-ohttp-08)
bhttp, bhttp_*         requests and responses as bytes (RFC 9292)
api, sse, padding      the resources inside, their event stream, and the sizes that may be seen
order                  objects that can be used once
strictjson, yamldoc    the strict loaders for JSON from a peer and YAML from a person
"""

from wire.errors import FormatError, OpenError, SpentError, TruncatedError, WireError

__all__ = ["FormatError", "OpenError", "SpentError", "TruncatedError", "WireError"]
