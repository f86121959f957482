# SPDX-License-Identifier: Apache-2.0
"""`sealroom release verify`: who vouches for the manifest, and what a log is given to keep."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sealroom.cli import main
from sealroom.release.layout import MANIFEST, PROOF
from sealroom.release.manifest import Manifest, write_manifest
from sealroom.release.vouch import log_entry
from tests.attest.log.small_log import LOG, NOW, POLICY, SmallLog

Capture = pytest.CaptureFixture[str]
USAGE = 1
DIFFERENT = 30
NOT_VOUCHED = 40
UNREADABLE = 65
WITH_LOG = ("--log-policy", "policy", "--at", NOW.isoformat())


@pytest.fixture(autouse=True)
def proved(manifest: Manifest) -> None:
    """The download has the proof that it is logged, and somebody has a policy about logs."""
    Path("policy").write_bytes(POLICY)
    Path("release", PROOF).write_bytes(logged(manifest).proof(1))


def logged(manifest: Manifest) -> SmallLog:
    """A log with other releases and this one."""
    entry = log_entry(manifest.version, write_manifest(manifest))
    return SmallLog([b"another", entry, b"more"])


def run(capsys: Capture, *words: str, code: int = 0) -> str:
    assert main(["release", "verify", "release", *words]) == code
    return capsys.readouterr().out


def vouched(capsys: Capture, *words: str, code: int = 0) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(run(capsys, "--json", *words, code=code))
    assert told["as_published"] is (code == 0)
    read: dict[str, Any] = told["vouched"]
    return read


def test_a_folder_that_is_one_with_itself_is_vouched_for_by_nobody(capsys: Capture) -> None:
    text = run(capsys, code=NOT_VOUCHED)
    assert "  nobody: give --manifest" in text
    assert text.endswith("the files are those of this manifest, and NOBODY vouches for it\n")


def test_a_copy_of_ones_own_is_enough(capsys: Capture) -> None:
    shutil.copy(Path("release", MANIFEST), "mine.json")
    assert "  you: --manifest named" in run(capsys, "--manifest", "mine.json")
    told = vouched(capsys, "--manifest", "mine.json")
    assert told == {"own_manifest": True, "log": None, "findings": []}


def test_a_log_is_enough(capsys: Capture) -> None:
    text = run(capsys, *WITH_LOG)
    assert f"  {LOG.name}: entry 1 of 3, cosigned by\n    east, 2026-" in text
    told = vouched(capsys, *WITH_LOG)
    assert (told["own_manifest"], told["log"]["origin"], told["findings"]) == (False, LOG.name, [])
    assert list(told["log"]["cosigned"]) == ["east", "west"]


def test_a_witness_without_a_clock_is_told_as_one(manifest: Manifest, capsys: Capture) -> None:
    Path("release", PROOF).write_bytes(replace(logged(manifest), time_s=0).proof(1))
    assert "    east, at no stated time\n" in run(capsys, *WITH_LOG)
    assert vouched(capsys, *WITH_LOG)["log"]["cosigned"] == {"east": None, "west": None}


def test_now_is_the_clocks_unless_a_time_is_given(manifest: Manifest, capsys: Capture) -> None:
    later = replace(logged(manifest), time_s=4102444800)  # 2100
    Path("release", PROOF).write_bytes(later.proof(1))
    told = vouched(capsys, "--log-policy", "policy", code=NOT_VOUCHED)
    assert [item["reason"] for item in told["findings"]] == ["log-cosignature-not-yet-valid"]
    run(capsys, "--log-policy", "policy", "--at", "2100-01-01T00:00:00Z")


def test_a_proof_may_lie_elsewhere(capsys: Capture) -> None:
    Path("release", PROOF).rename("proof")
    run(capsys, *WITH_LOG, "--proof", "proof")


def test_without_a_proof_the_log_does_not_vouch(capsys: Capture) -> None:
    Path("release", PROOF).unlink()
    told = vouched(capsys, *WITH_LOG, code=NOT_VOUCHED)
    assert [item["reason"] for item in told["findings"]] == ["not-in-the-log"]


def test_another_manifests_proof_is_none(manifest: Manifest, capsys: Capture) -> None:
    other = replace(manifest, prompts=bytes(32))
    Path("release", PROOF).write_bytes(logged(other).proof(1))
    assert "  NOT the log: not-in-the-log: wanted" in run(capsys, *WITH_LOG, code=NOT_VOUCHED)


def test_a_log_that_was_asked_must_agree_with_ones_own_copy(capsys: Capture) -> None:
    shutil.copy(Path("release", MANIFEST), "mine.json")
    Path("release", PROOF).write_bytes(b"no proof")
    told = vouched(capsys, "--manifest", "mine.json", *WITH_LOG, code=NOT_VOUCHED)
    assert told["own_manifest"]
    assert [item["reason"] for item in told["findings"]] == ["malformed-log-proof"]


def test_a_log_does_not_make_other_files_the_published_ones(capsys: Capture) -> None:
    Path("release/test/initrd").write_bytes(b"another")
    assert "NOT the published release" in run(capsys, *WITH_LOG, code=DIFFERENT)


def test_a_proof_alone_has_nobody_to_believe(capsys: Capture) -> None:
    assert main(["release", "verify", "release", "--proof", "proof"]) == USAGE
    assert "--proof: wanted --log-policy" in capsys.readouterr().err


def test_a_policy_that_asks_for_no_witness_is_refused(capsys: Capture) -> None:
    Path("policy").write_bytes(POLICY.replace(b"quorum two", b"quorum none"))
    assert main(["release", "verify", "release", *WITH_LOG]) == UNREADABLE
    assert "policy: wanted a policy about logs" in capsys.readouterr().err


def test_what_a_log_takes_is_printed(manifest: Manifest, capsys: Capture) -> None:
    assert main(["release", "log-entry", f"release/{MANIFEST}"]) == 0
    digest = hashlib.sha256(write_manifest(manifest)).hexdigest()
    wanted = f'{{"format":"sealroom-logged-release/1","manifest":"{digest}","version":"1.2.3"}}'
    assert capsys.readouterr().out == wanted
