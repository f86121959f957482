# SPDX-License-Identifier: Apache-2.0
"""Policies: data, complete, and with a digest that any other policy has not."""

from __future__ import annotations

from typing import Any

import pytest

from attest import FormatError, read_policy
from attest.policy import policy_digest, write_policy
from tests.attest.case import good

Path = tuple[str | int, ...]

POLICY = good().policy
WRITTEN = write_policy(POLICY)


def paths(value: Any, at: Path = ()) -> list[Path]:
    """Where each field of a written policy stands."""
    if isinstance(value, dict):
        return [(*at, k) for k in value] + [p for k, v in value.items() for p in paths(v, (*at, k))]
    if isinstance(value, list):
        return [p for i, v in enumerate(value) for p in paths(v, (*at, i))]
    return []


def changed(value: Any, path: Path, new: Any) -> Any:
    """A copy with one field changed, or left out if ``new`` is None."""
    key, *rest = path
    if isinstance(value, list):
        return [changed(v, tuple(rest), new) if i == key else v for i, v in enumerate(value)]
    if rest:
        return value | {key: changed(value[key], tuple(rest), new)}
    return {k: v for k, v in value.items() if k != key} | ({} if new is None else {key: new})


def test_a_policy_reads_back_as_written() -> None:
    assert read_policy(WRITTEN) == POLICY


@pytest.mark.parametrize("path", paths(WRITTEN), ids=str)
def test_no_field_can_be_left_out(path: Path) -> None:
    with pytest.raises(FormatError, match=f"missing {path[-1]}"):
        read_policy(changed(WRITTEN, path, None))


@pytest.mark.parametrize(
    ("path", "new", "words"),
    [
        *(
            (("snp", name), [], f"{name} is empty")
            for name in (
                "versions",
                "keys",
                "products",
                "vmpls",
                "measurements",
                "host_data",
                "family_ids",
                "image_ids",
                "id_keys",
                "author_keys",
                "chips",
            )
        ),
        *(
            (("statement", name), [], f"{name} is empty")
            for name in ("products", "variants", "models", "prompts", "configurations")
        ),
        (("snp", "keys"), ["vlek"], "csp_ids go with"),
        (("snp", "csp_ids"), ["CN=a.cloud"], "csp_ids go with"),
        (("snp", "products"), WRITTEN["snp"]["products"] * 2, "stands twice"),
        (("snp", "platform_lacks"), ["alias-check"], "demanded and forbidden"),
        (("snp", "products", 0, "reported_tcb", "fmc"), "1", "Milan has no fmc"),
        (("snp", "vmpls"), ["4"], "wanted 0 to 3"),
        (("snp", "versions"), ["6"], "wanted 2 to 5"),
        (("snp", "measurements"), ["00"], "48 bytes"),
        (("snp", "chips"), ["00" * 64], "hides which it is"),
        (("snp", "chips"), ["59790fb1c39f35c1"], "64 bytes"),
        (("snp", "debug"), "true", "unknown 'debug'"),
        (("statement", "life_s"), "0", "wanted 1"),
        (("format",), "sealroom-policy/2", "sealroom-policy/1"),
    ],
)
def test_a_policy_that_says_nothing_or_contradicts_itself_is_refused(
    path: Path, new: Any, words: str
) -> None:
    with pytest.raises(FormatError, match=words):
        read_policy(changed(WRITTEN, path, new))


def test_the_digest_is_of_what_the_policy_says() -> None:
    other = read_policy(changed(WRITTEN, ("snp", "guest_svn"), "1"))
    assert policy_digest(read_policy(WRITTEN)) == policy_digest(POLICY)
    assert policy_digest(other) != policy_digest(POLICY)
    assert len(policy_digest(POLICY)) == 32


def test_the_order_in_a_file_does_not_matter() -> None:
    turned = dict(reversed(WRITTEN.items())) | {
        "snp": WRITTEN["snp"] | {"guest_allows": ["smt"], "versions": ["3"]}
    }
    assert policy_digest(read_policy(turned)) == policy_digest(POLICY)
