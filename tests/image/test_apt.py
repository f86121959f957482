# SPDX-License-Identifier: Apache-2.0
"""The mirror comes from the machine's own sources, in both forms, or from the environment."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.apt import (
    KEYRING,
    AptError,
    Mirror,
    find_mirror,
    machine_sources,
    parse_deb822,
    parse_one_line,
    sources_list,
)

ONE_LINE = """
# deb http://off.example/debian bookworm main
deb http://cloud.example/apt cloud-sdk-bookworm main
deb-src http://source.example/debian bookworm main
deb [arch=amd64 signed-by=/keys/debian.gpg] http://one.example/debian bookworm main contrib # why
deb http://one.example/security bookworm-security main
"""
DEB822 = """
Types: deb
URIs: http://nodes.example
Suites: nodistro
Components: main

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb deb-src
# a comment within
URIs: http://two.example/debian
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: /keys/two.gpg

Types: deb
URIs: http://two.example/security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 AAAA
 -----END PGP PUBLIC KEY BLOCK-----
"""


def test_the_one_line_form_gives_archive_security_and_keyring() -> None:
    assert find_mirror(list(parse_one_line(ONE_LINE)), {}) == Mirror(
        "http://one.example/debian", "http://one.example/security", Path("/keys/debian.gpg")
    )


def test_the_deb822_form_gives_archive_security_and_keyring() -> None:
    assert find_mirror(list(parse_deb822(DEB822)), {}) == Mirror(
        "http://two.example/debian", "http://two.example/security", Path("/keys/two.gpg")
    )


def test_both_kinds_of_files_are_read_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(ONE_LINE)
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/debian.sources").write_text(DEB822)
    (tmp_path / "sources.list.d/debian.sources.save").write_text(DEB822)
    assert [source.uri for source in machine_sources(tmp_path)] == [
        "http://cloud.example/apt",
        "http://one.example/debian",
        "http://one.example/security",
        "http://nodes.example",
        "http://two.example/debian",
        "http://two.example/security",
    ]


def test_the_environment_names_an_archive_of_old_versions() -> None:
    mirror = find_mirror([], {"SEALROOM_DEBIAN_MIRROR": "http://old.example/1"})
    assert mirror == Mirror("http://old.example/1", None, KEYRING)


def test_a_machine_without_a_source_of_debian_is_told_what_to_set() -> None:
    with pytest.raises(AptError, match="SEALROOM_DEBIAN_MIRROR, got none"):
        find_mirror(list(parse_one_line("deb http://cloud.example/apt stable-x main")), {})


def test_a_suite_of_a_lock_takes_its_updates_and_security_fixes() -> None:
    mirror = Mirror("http://a.example", "http://s.example", Path("/k.gpg"))
    assert sources_list("trixie", mirror).splitlines() == [
        "deb [signed-by=/k.gpg] http://a.example trixie main",
        "deb [signed-by=/k.gpg] http://a.example trixie-updates main",
        "deb [signed-by=/k.gpg] http://s.example trixie-security main",
    ]


def test_an_unknown_suite_is_refused() -> None:
    with pytest.raises(AptError, match="suite: wanted one of"):
        sources_list("woody", Mirror("http://a.example", None, Path("/k.gpg")))


@pytest.mark.slow
@given(st.text())
def test_any_text_is_sources_or_nothing(text: str) -> None:
    list(parse_one_line(text))
    list(parse_deb822(text))
