# SPDX-License-Identifier: Apache-2.0
"""The trust file: what it must say, and each way in which it may not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from attest.roots import pinned_roots
from sealroom import Trust, TrustFileError
from sealroom.relay import check_relay
from sealroom.trust import TRUST_MAX_BYTES
from tests.sealroom.guest import Guest

File = dict[str, Any]


@pytest.fixture(scope="module")
def good(guest: Guest) -> bytes:
    return guest.trust_file("https://relay.example/")


def test_a_good_file_is_read(good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "trust.yaml"
    path.write_bytes(good)
    trust = Trust.load(path)
    assert trust.relay == "https://relay.example"
    assert [root.line for root in trust.roots.amd] == ["Milan"]


def test_amd_names_the_pinned_roots(good: bytes) -> None:
    fields: File = yaml.safe_load(good) | {"roots": "pinned"}
    assert Trust.parse(yaml.safe_dump(fields).encode()).roots == pinned_roots()


def changed(key: str, value: object) -> Callable[[File], File]:
    return lambda fields: fields | {key: value}


def in_policy(change: Callable[[File], File]) -> Callable[[File], File]:
    return lambda fields: fields | {"policy": change(dict(fields["policy"]))}


def without(key: str) -> Callable[[File], File]:
    return lambda fields: {name: value for name, value in fields.items() if name != key}


BAD = {
    "no format": without("format"),
    "no relay": without("relay"),
    "no roots": without("roots"),
    "no policy": without("policy"),
    "another key": changed("insecure", "yes"),
    "another format": changed("format", "sealroom-trust/2"),
    "relay in the clear": changed("relay", "http://relay.example"),
    "relay is a list": changed("relay", ["https://relay.example"]),
    "other roots": changed("roots", "intel"),
    "roots are none": changed("roots", []),
    "root is no certificate": changed(
        "roots", [{"line": "Milan", "ark": "AAAA", "ask": "AAAA", "asvk": "none"}]
    ),
    "policy is text": changed("policy", "anything"),
    "policy without a line": in_policy(without("snp")),
    "policy with another line": in_policy(changed("skip", "signature")),
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
def test_a_file_that_does_not_say_what_it_must_is_refused(
    good: bytes, spoil: Callable[[File], File]
) -> None:
    data = yaml.safe_dump(spoil(yaml.safe_load(good))).encode()
    with pytest.raises(TrustFileError):
        Trust.parse(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"- a", b"a: b", b"\xff", b"format: &a x\nrelay: *a\n", b"#" * (TRUST_MAX_BYTES + 1)],
)
def test_a_file_that_is_no_mapping_in_strict_yaml_is_refused(data: bytes) -> None:
    with pytest.raises(TrustFileError):
        Trust.parse(data)


def test_a_key_that_stands_twice_is_refused(good: bytes) -> None:
    fields = yaml.safe_dump(yaml.safe_load(good)).encode()
    with pytest.raises(TrustFileError):
        Trust.parse(fields + b"relay: https://other.example\n")


def test_a_missing_file_says_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(TrustFileError, match="relay, roots and policy") as caught:
        Trust.load(tmp_path / "none.yaml")
    assert caught.value.where.endswith("none.yaml")


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(TrustFileError):
        Trust.parse(data)


@pytest.mark.parametrize(
    "url",
    [
        "https://relay.example",
        "https://relay.example:8443/ohttp",
        "https://192.0.2.1",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "http://localhost:8080/",
    ],
)
def test_a_relay_has_https_or_is_this_machine(url: str) -> None:
    assert check_relay(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "relay.example",
        "ftp://relay.example",
        "http://relay.example",
        "http://192.0.2.1",
        "http://localhost.relay.example",
        "https://",
        "https://user@relay.example",
        "https://relay.example?x=1",
        "https://relay.example?",
        "https://relay.example#",
        "https://relay.example:0",
        "https://relay.example:99999",
        "https://relay.example:x",
        "https://[::1",
        "https://relay.example/a b",
        "https://relay.example/\n",
        "https://relay.exampl\u0435",
    ],
)
def test_any_other_url_is_no_relay(url: str) -> None:
    with pytest.raises(ValueError, match="wanted"):
        check_relay(url)


@given(st.text(max_size=60))
def test_any_text_is_a_relay_or_is_refused(text: str) -> None:
    try:
        assert check_relay("https://" + text).startswith("https://")
    except ValueError:
        return
