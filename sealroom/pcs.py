# SPDX-License-Identifier: Apache-2.0
"""What Intel's provisioning certification service (PCS) is asked for, and whether it gave that.

Intel SGX and TDX PCS API, version 4. Nothing here touches a network. The service's address is the
one that the PCK's certificate names as the place of its revocation list, once the pinned root has
vouched for that certificate. What comes is no more trusted for where it came from: `attest` judges
it like any other collateral; here it is only compared with what was asked for.
"""

from __future__ import annotations

import re

from attest import FormatError
from attest.tdx.collateral import SIGNATURE_BYTES

# Members of the service's two JSON replies.
TCB_INFO = "tcbInfo"
QE_IDENTITY = "enclaveIdentity"


def split_reply(data: bytes, member: str) -> tuple[bytes, bytes]:
    """The exact bytes that Intel signed, and the signature (r and s) that stands after them.

    Raises:
        FormatError: the reply is not these two members and nothing else.
    """
    shape = rb'\{"%s":(\{.*\}),"signature":"([0-9A-Fa-f]{%d})"\}\s*'
    pattern = shape % (member.encode("ascii"), 2 * SIGNATURE_BYTES)
    found = re.fullmatch(pattern, data, re.DOTALL)
    if found is None:
        raise FormatError(f"reply with {member}", None, f"wanted {member} and its signature")
    return found[1], bytes.fromhex(found[2].decode("ascii"))
