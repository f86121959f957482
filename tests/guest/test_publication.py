# SPDX-License-Identifier: Apache-2.0
"""What clients may know, on its way from the keyholder to the gate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.channel import PARCEL_MAX_BYTES
from guest.door import DOORS, DoorError, Process, Say
from guest.publication import Publication

PUBLICATIONS = st.builds(
    Publication,
    epoch=st.integers(0, 2**32),
    not_after=st.integers(0, 2**33),
    targets=st.lists(st.from_regex(r"[0-9a-f]{16}", fullmatch=True), max_size=4).map(tuple),
    evidence=st.binary(max_size=200),
    ohttp_keys=st.binary(max_size=200),
)


@given(PUBLICATIONS)
def test_a_publication_is_read_as_written(publication: Publication) -> None:
    assert Publication.parse(publication.write()) == publication


WRITTEN = Publication(1, 2, ("a" * 16,), b"e", b"k").write()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"epoch": 1}',
        b"[" * 100_000,
        WRITTEN + b" ",
        WRITTEN.replace(b"1,", b"true,"),
        WRITTEN.replace(b"1,", b"1.0,"),
        WRITTEN.replace(b"2,", b"null,"),
        WRITTEN.replace(b'["aaaaaaaaaaaaaaaa"]', b"[7]"),
        WRITTEN.replace(b'["aaaaaaaaaaaaaaaa"]', b'"aaaaaaaaaaaaaaaa"'),
        WRITTEN.replace(b"ZQ==", b"ZR=="),
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
def test_what_nobody_wrote_is_not_read(body: bytes) -> None:
    assert body != WRITTEN
    with pytest.raises(DoorError):
        Publication.parse(body)


def test_the_largest_packet_carries_the_largest_publication() -> None:
    rule = DOORS[Process.KEYHOLDER, Process.GATE][Say.PUBLISH]
    assert rule.body_max_bytes < PARCEL_MAX_BYTES
