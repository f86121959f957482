# SPDX-License-Identifier: Apache-2.0
"""The sections of the configuration, from init to the child that needs them."""

from typing import Any

import pytest

from guest.settings import (
    AnswerSettings,
    GateSettings,
    Identity,
    Kem,
    KeySettings,
    ModelSettings,
    StaplingSettings,
    Variant,
    read_section,
    write_sections,
)

SECTIONS: tuple[Any, ...] = (
    GateSettings(slots=2, waiting_max=8, request_max_bytes=4096, idle_max_s=10, deadline_s=120),
    KeySettings(
        kems=(Kem.X_WING, Kem.X25519), life_s=1800, overlap_s=300, grace_s=120, replay_max=1000
    ),
    ModelSettings(digest=bytes(range(32)), context_tokens=4096, threads=1),
    AnswerSettings(tick_ms=200),
    StaplingSettings(endorsements="/run/endorsements.json"),
    Identity(
        variant=Variant.MOCK,
        model=b"m" * 32,
        prompts=b"p" * 32,
        configuration=b"c" * 32,
        lacking=("network-namespace", "own-user"),
    ),
)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: type(section).__name__)
def test_each_section_is_read_as_written_among_all_others(section: Any) -> None:
    assert read_section(write_sections(*SECTIONS), type(section)) == section


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: type(section).__name__)
def test_a_section_that_was_not_sent_is_missed(section: Any) -> None:
    others = [other for other in SECTIONS if other is not section]
    with pytest.raises(KeyError, match=type(section).__name__):
        read_section(write_sections(*others), type(section))


def test_what_is_not_there_stays_so() -> None:
    nothing = StaplingSettings(endorsements=None)
    assert read_section(write_sections(nothing), StaplingSettings) == nothing


def test_one_line_is_one_section() -> None:
    assert write_sections(*SECTIONS).count(b"\n") == len(SECTIONS) - 1
