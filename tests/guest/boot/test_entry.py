# SPDX-License-Identifier: Apache-2.0
"""The keyholder's entry: one input is given away and nothing else. configfs itself is in the VM."""

import errno
import os
from pathlib import Path

import pytest

from guest.boot import entry
from guest.boot.reasons import BootError, Reason
from guest.door import Process
from guest.users import USERS


def test_only_the_input_is_given_to_the_keyholder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []
    monkeypatch.setattr(entry, "ENTRY_FOLDER", tmp_path / "sealroom")
    monkeypatch.setattr(os, "chown", lambda *arguments: given.append(arguments))
    entry.make()
    keyholder = USERS[Process.KEYHOLDER].effective
    assert given == [(tmp_path / "sealroom" / "inblob", keyholder, keyholder)]
    assert (tmp_path / "sealroom").is_dir()


def test_a_machine_that_nobody_vouches_for_says_what_the_kernel_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry, "ENTRY_FOLDER", tmp_path / "no configfs" / "sealroom")
    with pytest.raises(BootError) as caught:
        entry.make()
    assert (caught.value.reason, caught.value.code) == (Reason.PROVIDER, errno.ENOENT)


def test_an_entry_that_is_there_already_is_somebody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry, "ENTRY_FOLDER", tmp_path)
    with pytest.raises(BootError) as caught:
        entry.make()
    assert caught.value.code == errno.EEXIST
