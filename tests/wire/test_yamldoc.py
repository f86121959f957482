# SPDX-License-Identifier: Apache-2.0
"""The strict YAML loader: texts stay texts, and everything clever is refused."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wire.errors import FormatError
from wire.yamldoc import DEPTH_MAX, DOCUMENT_MAX_BYTES, NODES_MAX, load_yaml


def load(text: str | bytes) -> object:
    return load_yaml(text.encode() if isinstance(text, str) else text, what="policy")


def test_a_document_of_mappings_lists_and_texts_loads() -> None:
    document = """
# A comment.
format: sealroom/1
debug: no          # stays a text
count: 0x10
when: 2026-11-21
empty:
quoted: "a: #b"
list:
  - one
  - {two: 2}
folded: >-
  a
  b
"""
    assert load(document) == {
        "format": "sealroom/1",
        "debug": "no",
        "count": "0x10",
        "when": "2026-11-21",
        "empty": "",
        "quoted": "a: #b",
        "list": ["one", {"two": "2"}],
        "folded": "a b",
    }


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "a key that stands twice": ("a: 1\nb: 2\na: 1", "the key 'a' stands twice, line 3"),
    "a key that stands twice inside": ("a: {b: 1, b: 1}", "stands twice"),
    "an anchor": ("a: &x 1", "an anchor or a tag"),
    "an anchor on a mapping": ("a: &x {b: 1}", "an anchor or a tag"),
    "an alias": ("a: *x", "an alias"),
    "a core tag": ("a: !!str 1", "an anchor or a tag"),
    "a tag of its own": ("a: !x 1", "an anchor or a tag"),
    "a Python tag": ("!!python/object/apply:os.system [ls]", "an anchor or a tag"),
    "a bare exclamation mark": ("a: ! b", "an anchor or a tag"),
    "a directive": ("%YAML 1.1\n---\na: 1", "a directive"),
    "a tag directive": ("%TAG ! tag:x,2000:\n---\na: 1", "a directive"),
    "a second document": ("a: 1\n---\nb: 1", "a second document"),
    "no document": ("# nothing\n", "no document"),
    "a key that is a list": ("? [a]\n: b", "a key that is no text"),
    "a key that is a mapping": ("{{a: b}: c}", "a key that is no text"),
    "a tab as indentation": ("a:\n\tb: 1", "not YAML"),
    "a bracket without its end": ("a: [", "not YAML, line 1|not YAML: .*line 1"),
    "a control character": ("a: \x07", "a character that YAML does not allow"),
    "a byte that is no UTF-8": (b"a: \xff", "not UTF-8"),
    "UTF-16": ("a: 1".encode("utf-16"), "not UTF-8"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused(what: str) -> None:
    text, problem = REFUSED[what]
    with pytest.raises(FormatError, match=problem) as caught:
        load(text)
    assert caught.value.what == "policy"


def test_a_merge_key_merges_nothing() -> None:
    assert load("<<: {a: 1}\nb: 2") == {"<<": {"a": "1"}, "b": "2"}


def test_depth_is_limited() -> None:
    load("[" * DEPTH_MAX + "]" * DEPTH_MAX)
    with pytest.raises(FormatError, match=f"deeper than {DEPTH_MAX}"):
        load("[" * (DEPTH_MAX + 2) + "]" * (DEPTH_MAX + 2))


def test_the_number_of_nodes_is_limited() -> None:
    load("\n".join(["- a"] * (NODES_MAX - 1)))
    with pytest.raises(FormatError, match=f"more than {NODES_MAX} nodes"):
        load("\n".join(["- a"] * NODES_MAX))


def test_the_size_is_limited_before_it_is_parsed() -> None:
    with pytest.raises(FormatError, match=f"wanted {DOCUMENT_MAX_BYTES} bytes or fewer"):
        load(b"\xff" * (DOCUMENT_MAX_BYTES + 1))


TEXTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=10)
DOCUMENTS = st.recursive(
    TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(DOCUMENTS)
def test_what_pyyaml_writes_loads(document: object) -> None:
    written = str(yaml.safe_dump(document, default_style='"'))
    assert load(written) == document


@given(st.text(st.sampled_from("ab:-?[]{},&*!|>'\"%#@` \n\t01"), max_size=30))
def test_any_text_loads_or_gives_a_format_error(text: str) -> None:
    try:
        load(text)
    except FormatError:
        return


@given(st.binary(max_size=30))
def test_any_bytes_load_or_give_a_format_error(data: bytes) -> None:
    try:
        load(data)
    except FormatError:
        return
