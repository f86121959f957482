# SPDX-License-Identifier: Apache-2.0
"""Certificates in the one form in which Intel has written all that are known here.

`attest.x509` reads any certificate, element by element. Here one pattern names each tag and each
constant of Intel's form, and every length in it is compared with what it is the length of. If all
agree, what the pattern cut out is what `attest.x509` would read; if not, nothing is said of the
bytes, and `attest.x509` reads them. So nothing is accepted here that it would not accept.
"""

from __future__ import annotations

import re
from struct import pack

from attest.der import UTC_TIME, parse_time
from attest.limits import CERTIFICATE_MAX_BYTES
from attest.x509 import Certificate, Extension, is_usual_serial

# Intel SGX PCK Certificate and CRL Profile §1.3, in its order. A length that is not written out is
# in a group, and one of two bytes is at least 256, as in DER. The pattern is compiled when it is
# first used.
_CERTIFICATE = rb"""(?xs)
    \x30\x82 (?P<all_size>[\x01-\x0f].)
    \x30\x82 (?P<tbs_size>[\x01-\x0f].) (?P<tbs>
        \xa0\x03\x02\x01\x02
        \x02 (?P<serial>\x14.{20}|\x15.{21})
        (?P<algorithm>\x30\x0a.{10})
        (?P<issuer>\x30[\x40-\x7f].{64,127}?)
        \x30\x1e \x17\x0d (?P<not_before>\d{12}Z) \x17\x0d (?P<not_after>\d{12}Z)
        (?P<subject>\x30[\x40-\x7f].{64,127}?)
        (?P<spki>\x30\x59\x30\x13.{87})
        \xa3 (?P<wrapper_size>\x81[\x80-\xff]|\x82[\x01-\x0f].)
        \x30 (?P<rows_size>\x81[\x80-\xff]|\x82[\x01-\x0f].)
        (?P<rows>
            \x30\x1f \x06\x03\x55\x1d\x23 \x04\x18 (?P<authority_key>.{24})
            \x30 (?P<points_row_size>.) \x06\x03\x55\x1d\x1f
                \x04 (?P<points_size>.) (?P<points>.{16,120}?)
            \x30\x1d \x06\x03\x55\x1d\x0e \x04\x16 (?P<subject_key>.{22})
            \x30\x0e \x06\x03\x55\x1d\x0f \x01\x01\xff \x04\x04 (?P<usage>.{4})
            (?: \x30\x0c \x06\x03\x55\x1d\x13 \x01\x01\xff \x04\x02 (?P<end>.{2})
              | \x30\x12 \x06\x03\x55\x1d\x13 \x01\x01\xff \x04\x08 (?P<authority>.{8}) )
            (?: \x30\x82 (?P<sgx_row_size>[\x01-\x0f].)
                \x06\x09\x2a\x86\x48\x86\xf8\x4d\x01\x0d\x01
                \x04\x82 (?P<sgx_size>[\x01-\x0f].) (?P<sgx>.{256,1024}) )?
        )
    )
    (?P=algorithm)
    \x03 (?P<signature_size>[\x41-\x7f]) \x00 (?P<signature>.{64,126})
"""


def usual_certificate(der: bytes) -> Certificate | None:
    """The certificate, or None when it is not spelled as Intel's are."""
    match = re.fullmatch(_CERTIFICATE, der)
    if match is None or len(der) > CERTIFICATE_MAX_BYTES:
        return None
    (
        all_size,
        tbs_size,
        tbs,
        serial,
        algorithm,
        issuer,
        not_before,
        not_after,
        subject,
        spki,
        wrapper_size,
        rows_size,
        rows,
        authority_key,
        points_row_size,
        points_size,
        points,
        subject_key,
        usage,
        end,
        authority,
        sgx_row_size,
        sgx_size,
        sgx,
        signature_size,
        signature,
    ) = match.groups()
    sizes = all_size, tbs_size, wrapper_size, rows_size
    wanted = (
        (len(der) - 4).to_bytes(2, "big"),
        len(tbs).to_bytes(2, "big"),
        _long(1 + len(rows_size) + len(rows)),
        _long(len(rows)),
    )
    short_sizes = issuer[1:2] + subject[1:2] + points_row_size + points_size + signature_size
    short_wanted = bytes(
        (
            len(issuer) - 2,
            len(subject) - 2,
            len(points) + 7,
            len(points),
            len(signature) + 1,
        )
    )
    if sizes != wanted or short_sizes != short_wanted or not is_usual_serial(serial[1:]):
        return None
    extensions = {
        "2.5.29.35": Extension(False, authority_key),
        "2.5.29.31": Extension(False, points),
        "2.5.29.14": Extension(False, subject_key),
        "2.5.29.15": Extension(True, usage),
        "2.5.29.19": Extension(True, end or authority),
    }
    if sgx is not None:
        if sgx_row_size + sgx_size != pack(">HH", len(sgx) + 15, len(sgx)):
            return None
        extensions["1.2.840.113741.1.13.1"] = Extension(False, sgx)
    try:
        not_before, not_after = (parse_time(UTC_TIME, text) for text in (not_before, not_after))
    except ValueError:
        return None
    return Certificate(
        der=der,
        tbs=der[4 : match.end("tbs")],
        serial=int.from_bytes(serial[1:], "big"),
        issuer=issuer,
        not_before=not_before,
        not_after=not_after,
        subject=subject,
        spki=spki,
        extensions=extensions,
        algorithm=algorithm,
        signature=signature,
    )


def _long(size: int) -> bytes:
    """A length of 128 bytes or more, as DER spells it."""
    return bytes((0x81, size)) if size < 0x100 else b"\x82" + size.to_bytes(2, "big")
