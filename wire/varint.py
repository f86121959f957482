# SPDX-License-Identifier: Apache-2.0
"""Variable-length integers (RFC 9000 §16): the top two bits of the first byte give the length.

We write the shortest form. Longer forms are accepted when read, because RFC 9292 §3 and
draft-ietf-ohai-chunked-ohttp-08 §3 allow them; this is the one place where two spellings are one
value.
"""

VARINT_MAX = 2**62 - 1


def write_varint(value: int) -> bytes:
    """Encode `value` in its shortest form.

    Raises:
        ValueError: It is negative or above 2^62 - 1.
    """
    for prefix, size in enumerate((1, 2, 4, 8)):
        if 0 <= value < 1 << (8 * size - 2):
            return (value | prefix << (8 * size - 2)).to_bytes(size, "big")
    raise ValueError(f"varint: wanted 0 to {VARINT_MAX}, got {value}")


def varint_bytes(first: int) -> int:
    """The length in bytes of the integer whose first byte is `first`."""
    return 1 << (first >> 6)


def read_varint(encoded: bytes | bytearray) -> int:
    """Decode exactly the bytes of one integer, as many as `varint_bytes` said."""
    return int.from_bytes(encoded, "big") & ((1 << (8 * len(encoded) - 2)) - 1)
