# SPDX-License-Identifier: Apache-2.0
"""The one strict YAML loader, for what people write: policy, trust, guest configuration.

Every scalar stays the text that stands there; only the schema that reads the result gives it a
type. Anchors, aliases, tags, directives, a second document and a key that stands twice are refused,
and so is whatever passes a limit. The parser's events are read directly: no constructor of PyYAML
ever runs.
"""

from collections.abc import Iterator
from typing import TypeAlias, cast

import yaml

from wire.errors import FormatError

DOCUMENT_MAX_BYTES = 256 * 1024
DEPTH_MAX = 16
NODES_MAX = 20000

Node: TypeAlias = "dict[str, Node] | list[Node] | str"


def load_yaml(data: bytes, *, what: str) -> Node:
    """Parse one YAML document of mappings, lists and texts.

    Args:
        data: The document in UTF-8.
        what: What errors call it.

    Raises:
        FormatError: It is no such document, or passes a limit.
    """
    if len(data) > DOCUMENT_MAX_BYTES:
        problem = f"wanted {DOCUMENT_MAX_BYTES} bytes or fewer, got {len(data)}"
        raise FormatError(what, DOCUMENT_MAX_BYTES, problem)
    try:
        events = yaml.parse(data.decode("utf-8"), Loader=yaml.BaseLoader)
        return _Loader(what, events).document()
    except UnicodeDecodeError as error:
        raise FormatError(what, error.start, "not UTF-8") from None
    except yaml.MarkedYAMLError as error:
        raise _error(what, error.problem_mark, f"not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise FormatError(what, 0, "a character that YAML does not allow") from error


_NODE_EVENTS = (yaml.ScalarEvent, yaml.SequenceStartEvent, yaml.MappingStartEvent)


class _Loader:
    def __init__(self, what: str, events: Iterator[yaml.Event]) -> None:
        self._what = what
        self._events = events
        self._nodes = 0

    def document(self) -> Node:
        next(self._events)
        start = next(self._events)
        if not isinstance(start, yaml.DocumentStartEvent):
            raise self._error(start, "no document")
        if start.version or start.tags:
            raise self._error(start, "a directive")
        root = self._node(next(self._events), 0)
        next(self._events)
        end = next(self._events)
        if not isinstance(end, yaml.StreamEndEvent):
            raise self._error(end, "a second document")
        return root

    def _node(self, event: yaml.Event, depth: int) -> Node:
        self._nodes += 1
        if depth > DEPTH_MAX or self._nodes > NODES_MAX:
            raise self._error(event, f"deeper than {DEPTH_MAX} or more than {NODES_MAX} nodes")
        if not isinstance(event, _NODE_EVENTS):
            raise self._error(event, "an alias")
        if event.anchor is not None or event.tag is not None:
            raise self._error(event, "an anchor or a tag")
        if isinstance(event, yaml.SequenceStartEvent):
            return [self._node(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)]
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(depth)
        text: str = event.value
        return text

    def _mapping(self, depth: int) -> dict[str, Node]:
        mapping: dict[str, Node] = {}
        for event in self._until(yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, str):
                raise self._error(event, "a key that is no text")
            if key in mapping:
                raise self._error(event, f"the key {key!r} stands twice")
            mapping[key] = self._node(next(self._events), depth + 1)
        return mapping

    def _until(self, end: type[yaml.Event]) -> Iterator[yaml.Event]:
        while not isinstance(event := next(self._events), end):
            yield event

    def _error(self, event: yaml.Event, problem: str) -> FormatError:
        return _error(self._what, event.start_mark, problem)


def _error(what: str, mark: object, problem: str) -> FormatError:
    place = cast(yaml.error.Mark, mark)  # PyYAML's scanner and parser always give one
    return FormatError(what, place.index, f"{problem}, line {place.line + 1}")
