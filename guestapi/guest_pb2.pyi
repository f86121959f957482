# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Media(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MEDIA_UNSPECIFIED: _ClassVar[Media]
    WHOLE: _ClassVar[Media]
    CHUNKED: _ClassVar[Media]

class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATE_UNSPECIFIED: _ClassVar[State]
    STARTING: _ClassVar[State]
    READY: _ClassVar[State]
    DEGRADED: _ClassVar[State]
MEDIA_UNSPECIFIED: Media
WHOLE: Media
CHUNKED: Media
STATE_UNSPECIFIED: State
STARTING: State
READY: State
DEGRADED: State

class ExchangeIn(_message.Message):
    __slots__ = ("open", "chunk")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    open: Open
    chunk: bytes
    def __init__(self, open: _Optional[_Union[Open, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class Open(_message.Message):
    __slots__ = ("target", "media")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    target: str
    media: Media
    def __init__(self, target: _Optional[str] = ..., media: _Optional[_Union[Media, str]] = ...) -> None: ...

class ExchangeOut(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class EvidenceRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EvidenceReply(_message.Message):
    __slots__ = ("evidence", "ohttp_keys", "targets", "not_after")
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    OHTTP_KEYS_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    NOT_AFTER_FIELD_NUMBER: _ClassVar[int]
    evidence: bytes
    ohttp_keys: bytes
    targets: _containers.RepeatedScalarFieldContainer[str]
    not_after: int
    def __init__(self, evidence: _Optional[bytes] = ..., ohttp_keys: _Optional[bytes] = ..., targets: _Optional[_Iterable[str]] = ..., not_after: _Optional[int] = ...) -> None: ...

class HealthRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HealthReply(_message.Message):
    __slots__ = ("state", "running", "waiting", "slots", "epoch", "missing")
    STATE_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    state: State
    running: int
    waiting: int
    slots: int
    epoch: int
    missing: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, state: _Optional[_Union[State, str]] = ..., running: _Optional[int] = ..., waiting: _Optional[int] = ..., slots: _Optional[int] = ..., epoch: _Optional[int] = ..., missing: _Optional[_Iterable[str]] = ...) -> None: ...
