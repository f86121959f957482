# SPDX-License-Identifier: Apache-2.0
"""`sealroom attack` against the smallest deployment there is: what is told, and how it ends.

The guest of these tests answers the same ciphertext as often as it comes: a deployment with one
defence missing. What the attacks find on a whole one is in tests/attack.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sealroom.attack import lab_part
from sealroom.attack.attack import Needs, Outcome
from sealroom.attack.table import ATTACKS
from sealroom.cli import main
from tests.sealroom.guest import Guest
from tests.sealroom.relay import Relay
from tests.sealroom.serve import serving_in_thread

Capture = pytest.CaptureFixture[str]

REFUSED = "key-config-swap"
SUCCEEDS = "replay-mended"  # this guest forgets what it has answered
UNCLEAR = "foreign-targets"
NEEDS_LAB = "snp-debug-guest"


@pytest.fixture
def trust(guest: Guest, tmp_path: Path) -> Iterator[str]:
    with serving_in_thread(Relay(guest)) as relay:
        path = tmp_path / "trust.yaml"
        path.write_bytes(guest.trust_file(relay.url))
        yield str(path)


def told(capsys: Capture) -> list[dict[str, Any]]:
    attacks = json.loads(capsys.readouterr().out)["attacks"]
    assert isinstance(attacks, list)
    return attacks


def test_a_refused_attack_is_a_row_and_the_command_ends_well(trust: str, capsys: Capture) -> None:
    assert main(["attack", "--trust", trust, "--only", REFUSED]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("refused    key-config-swap ")
    assert "report-data-mismatch" in out
    assert out.endswith("1 attacks: 1 refused\n")
    assert err == ""


def test_the_data_has_exactly_the_documented_members(trust: str, capsys: Capture) -> None:
    assert main(["attack", "--trust", trust, "--only", REFUSED, "--json"]) == 0
    (attack,) = told(capsys)
    assert set(attack) == {"name", "reference", "expected", "outcome", "reason", "ms"}
    assert (attack["expected"], attack["outcome"]) == ("refused", "refused")
    assert isinstance(attack["ms"], int)


def test_an_attack_that_needs_the_inside_is_skipped_and_not_refused(
    trust: str, capsys: Capture
) -> None:
    names = ["--only", REFUSED, "--only", NEEDS_LAB]
    assert main(["attack", "--trust", trust, *names, "--json"]) == 0
    outcomes = {attack["name"]: attack["outcome"] for attack in told(capsys)}
    assert outcomes == {REFUSED: "refused", NEEDS_LAB: "skipped"}


def test_one_attack_that_succeeds_decides_the_exit_code(trust: str, capsys: Capture) -> None:
    names = ["--only", REFUSED, "--only", SUCCEEDS]
    assert main(["attack", "--trust", trust, *names, "--json"]) == 70
    outcomes = {attack["name"]: attack["outcome"] for attack in told(capsys)}
    assert outcomes == {REFUSED: "refused", SUCCEEDS: "succeeded"}


def test_a_relay_is_attacked_instead_of_the_one_in_the_file(
    guest: Guest, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "trust.yaml"
    path.write_bytes(guest.trust_file())
    with serving_in_thread(Relay(guest)) as relay:
        options = ["--trust", str(path), "--relay", relay.url]
        assert main(["attack", *options, "--only", REFUSED, "--json"]) == 0
    assert [attack["outcome"] for attack in told(capsys)] == ["refused"]


def test_a_deployment_that_answers_nobody_is_not_attacked(
    guest: Guest, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "trust.yaml"
    path.write_bytes(guest.trust_file())
    assert main(["attack", "--trust", str(path), "--only", REFUSED]) == 60
    assert capsys.readouterr().out == ""


def test_every_attack_is_listed_with_what_it_tries_and_what_stands_against_it(
    capsys: Capture,
) -> None:
    assert main(["attack", "--list", "--json"]) == 0
    listed = told(capsys)
    assert {one["name"] for one in listed} >= {REFUSED, SUCCEEDS, UNCLEAR, NEEDS_LAB}
    assert {one["needs"] for one in listed} == set(Needs)
    for one in listed:
        assert set(one) == {"name", "reference", "tries", "defence", "needs"}
        assert all(one.values())


def test_there_are_at_least_forty_attacks_and_each_has_a_name_of_its_own(capsys: Capture) -> None:
    assert main(["attack", "--list", "--json"]) == 0
    names = [one["name"] for one in told(capsys)]
    assert len(names) == len(set(names)) >= 40


def test_the_list_is_also_for_people(capsys: Capture) -> None:
    assert main(["attack", "--list", "--only", REFUSED]) == 0
    out = capsys.readouterr().out
    assert out.startswith("key-config-swap (relay)\n    tries:   ")


def test_without_the_lab_a_trust_file_must_be_given(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(lab_part, "PACKAGE", "no_such_package")
    assert main(["attack"]) == 1
    assert "the package lab is not installed" in capsys.readouterr().err


def test_without_the_lab_its_attacks_are_not_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(lab_part, "PACKAGE", "no_such_package")
    assert main(["attack", "--list"]) == 0
    out, err = capsys.readouterr()
    assert out.count("    tries:") == len(ATTACKS)
    assert "not installed" in err


@pytest.mark.parametrize(
    "words", [["--only", "no-such-attack"], ["--relay", "https://relay.example"], ["--list", "x"]]
)
def test_words_that_mean_nothing_are_a_usage_error(words: list[str], capsys: Capture) -> None:
    assert main(["attack", *words]) == 1
    assert capsys.readouterr().err


def test_no_outcome_but_refused_counts_as_one() -> None:
    assert [outcome for outcome in Outcome if outcome is not Outcome.REFUSED] == [
        "succeeded",
        "unclear",
        "skipped",
    ]
