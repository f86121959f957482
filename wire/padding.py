# SPDX-License-Identifier: Apache-2.0
"""The sizes that may be seen from outside: messages are padded to buckets before they are sealed.

A request is padded with the zero bytes that RFC 9292 §3.8 allows at its end, an answer in JSON with
spaces.
"""

from wire.errors import FormatError

KIBIBYTE = 1024
REQUEST_BUCKETS_BYTES = (4 * KIBIBYTE, 16 * KIBIBYTE, 64 * KIBIBYTE, 256 * KIBIBYTE)
RESPONSE_BUCKETS_BYTES = (4 * KIBIBYTE, 16 * KIBIBYTE, 64 * KIBIBYTE)


def pad_request(bhttp: bytes) -> bytes:
    """A complete Binary HTTP request, padded to the smallest bucket that holds it.

    Raises:
        FormatError: It is longer than the largest bucket.
    """
    return bhttp.ljust(_bucket("request", len(bhttp), REQUEST_BUCKETS_BYTES), b"\x00")


def pad_answer(json: bytes) -> bytes:
    """A JSON answer or failure, padded to the smallest bucket that holds it.

    Raises:
        FormatError: It is longer than the largest bucket.
    """
    return json.ljust(_bucket("answer", len(json), RESPONSE_BUCKETS_BYTES), b" ")


def _bucket(what: str, size: int, buckets: tuple[int, ...]) -> int:
    for bucket in buckets:
        if size <= bucket:
            return bucket
    raise FormatError(what, buckets[-1], f"wanted {buckets[-1]} bytes or fewer, got {size}")
