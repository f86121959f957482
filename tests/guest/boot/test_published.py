# SPDX-License-Identifier: Apache-2.0
"""What the image says of itself, and the one command line it may be started with."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.canonical import write_canonical
from guest import settings
from guest.boot import published
from guest.boot.published import STATED, SUFFIXES, Model, Variant
from guest.boot.reasons import BootError, Reason

DIGEST = hashlib.sha256(b"model").hexdigest()
WORD = f"sealroom.model=sha256:{DIGEST}:98362432"
CMDLINE = f"init_on_free=1 lockdown=confidentiality {WORD}"
PLAIN = {
    "cmdline": CMDLINE,
    "format": "sealroom-published/1",
    "product": "Sealroom 0.1.0",
    "variant": "production",
}


def refused(data: bytes) -> Reason:
    with pytest.raises(BootError) as caught:
        published.parse_published(data)
    return caught.value.reason


@pytest.mark.parametrize(
    ("variant", "product"),
    [
        ("production", "Sealroom 0.1.0"),
        ("research", "Sealroom 0.1.0 RESEARCH"),
        ("test", "Sealroom 0.1.0 TEST"),
    ],
)
def test_each_image_is_read(variant: str, product: str) -> None:
    image = published.parse_published(
        write_canonical({**PLAIN, "variant": variant, "product": product})
    )
    assert (image.cmdline, image.product, image.variant) == (CMDLINE, product, variant)


@pytest.mark.parametrize(
    "changed",
    [
        {"variant": "mock"},
        {"variant": "test"},
        {"product": "Sealroom 0.1.0 RESEARCH"},
        {"product": "Sealroom 0.1.0 TEST", "variant": "research"},
        {"product": ""},
        {"format": "sealroom-published/2"},
        {"cmdline": "x" * 8192},
        {"cmdline": 1},
        {"more": ""},
    ],
)
def test_another_content_is_refused(changed: dict[str, object]) -> None:
    assert refused(write_canonical({**PLAIN, **changed})) is Reason.PUBLISHED


@pytest.mark.parametrize("field", PLAIN)
def test_no_field_may_be_left_out(field: str) -> None:
    rest = {name: value for name, value in PLAIN.items() if name != field}
    assert refused(write_canonical(rest)) is Reason.PUBLISHED


def test_another_spelling_is_refused() -> None:
    good = write_canonical(PLAIN)
    for data in (good + b"\n", good.replace(b":", b": ", 1), b"", good[:-1]):
        assert refused(data) is Reason.PUBLISHED


@given(st.binary(max_size=256))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert refused(data) is Reason.PUBLISHED


def test_every_variant_has_its_words() -> None:
    assert STATED.keys() == SUFFIXES.keys() == set(Variant)
    assert set(STATED.values()) == set(settings.Variant)


@pytest.mark.parametrize("shown", [f"{CMDLINE}\n", f"initrd=initrd {CMDLINE}\n"])
def test_the_published_command_line_is_accepted_in_its_two_forms(shown: str) -> None:
    published.verify_cmdline(shown.encode(), CMDLINE)


@pytest.mark.parametrize(
    "shown",
    [
        CMDLINE,
        f"{CMDLINE} \n",
        f" {CMDLINE}\n",
        f"{CMDLINE}\n\n",
        f"{CMDLINE} initrd=initrd\n",
        f"initrd=other {CMDLINE}\n",
        f"initrd=initrd initrd=initrd {CMDLINE}\n",
        f"{CMDLINE} init_on_free=0\n",
        CMDLINE.replace("init_on_free=1", "init_on_free=0") + "\n",
        CMDLINE.replace("init_on_free=1", "init_on_free=1 ") + "\n",
        "",
    ],
)
def test_another_command_line_is_refused(shown: str) -> None:
    with pytest.raises(BootError) as caught:
        published.verify_cmdline(shown.encode(), CMDLINE)
    assert caught.value.reason is Reason.CMDLINE


@pytest.mark.parametrize(
    "twice",
    [
        "init_on_free=1 init_on_free=0",
        "init_on_free=1 init-on-free=1",
        "quiet quiet",
        "quiet quiet=1",
        "initrd=initrd",
    ],
)
def test_a_key_that_stands_twice_is_refused_even_if_it_was_published_so(twice: str) -> None:
    with pytest.raises(BootError) as caught:
        published.verify_cmdline(f"initrd=initrd {twice}\n".encode(), twice)
    assert caught.value.reason is Reason.CMDLINE


def test_the_model_is_named_once_by_digest_and_size() -> None:
    assert published.parse_model(CMDLINE) == Model(bytes.fromhex(DIGEST), 98362432)


@pytest.mark.parametrize(
    "cmdline",
    [
        "",
        "quiet",
        f"{WORD} {WORD}",
        f"{WORD} sealroom.model=",
        WORD.upper(),
        WORD.replace("sha256:", "sha512:"),
        WORD.replace(DIGEST, DIGEST.upper()),
        WORD.replace(":98362432", ""),
        WORD.replace(":98362432", ":0"),
        WORD.replace(":98362432", ":098362432"),
        WORD.replace(":98362432", ":-1"),
        f"{WORD}:",
    ],
)
def test_a_model_that_is_not_named_so_is_refused(cmdline: str) -> None:
    with pytest.raises(BootError) as caught:
        published.parse_model(cmdline)
    assert caught.value.reason is Reason.CMDLINE


def test_a_file_is_read_to_a_byte_more_than_it_may_have(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    assert published.read_file(path, 100) == b"x" * 100
    assert published.read_file(path, 50) == b"x" * 51
