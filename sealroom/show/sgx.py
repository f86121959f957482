# SPDX-License-Identifier: Apache-2.0
"""The SGX extension of a PCK certificate, value by value (Intel SGX PCK Certificate Profile §1.3).

Read on its own and not through `attest`, so that an extension in another form can be seen too.
"""

from __future__ import annotations

from collections.abc import Iterator

from attest.der import BOOLEAN, INTEGER, SEQUENCE, Der, Element
from sealroom.show.field import Field

SGX_EXTENSION = "1.2.840.113741.1.13.1"

_ENUMERATED = 0x0A
_TCB = f"{SGX_EXTENSION}.2"
_CONFIGURATION = f"{SGX_EXTENSION}.7"
_TYPES = {0: "standard", 1: "scalable", 2: "scalable with integrity"}

NAMES: dict[str, tuple[str, str]] = {
    f"{SGX_EXTENSION}.1": ("PPID", "the platform, as provisioning knows it"),
    **{f"{_TCB}.{number}": (f"SGX TCB component {number:02}", "") for number in range(1, 17)},
    f"{_TCB}.17": ("PCESVN", "security version of the provisioning certification enclave"),
    f"{_TCB}.18": ("CPUSVN", "security versions of the processor, as it reports them"),
    f"{SGX_EXTENSION}.3": ("PCEID", "which provisioning certification enclave"),
    f"{SGX_EXTENSION}.4": ("FMSPC", "family, model, stepping, platform type, custom SKU"),
    f"{SGX_EXTENSION}.5": ("SGX type", "how the memory is protected"),
    f"{SGX_EXTENSION}.6": ("platform instance", "which platform, of several processors"),
    f"{_CONFIGURATION}.1": ("dynamic platform", "whether processors may be added"),
    f"{_CONFIGURATION}.2": ("cached keys", "whether Intel keeps the platform's keys"),
    f"{_CONFIGURATION}.3": ("SMT", "whether hyper-threading was on at registration"),
}


def explain_sgx(value: bytes) -> Iterator[Field]:
    """The values of the extension.

    Raises:
        FormatError: no SEQUENCE of pairs.
    """
    reader = Der("SGX extension", value)
    yield from _pairs(reader, reader.whole())


def _pairs(reader: Der, pairs: Element) -> Iterator[Field]:
    for pair in reader.inside(pairs):
        oid_element, item = reader.fields(pair, 2)
        oid = reader.oid(oid_element)
        if oid in (_TCB, _CONFIGURATION) and item[0] == SEQUENCE:
            yield from _pairs(reader, item)
            continue
        name, means = NAMES.get(oid, (oid, ""))
        odd = "" if oid in NAMES else "not known"
        yield Field(name=name, value=_value(reader, item), means=means, unusual=odd)


def _value(reader: Der, item: Element) -> str:
    tag = item[0]
    value = reader.value(item, tag)
    number = int.from_bytes(value, "big")
    if tag == INTEGER:
        return str(number)
    if tag == _ENUMERATED:
        return f"{number}, {_TYPES.get(number, 'not known')}"
    if tag == BOOLEAN:
        return "yes" if number else "no"
    return value.hex()
