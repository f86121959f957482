# SPDX-License-Identifier: Apache-2.0
"""A step is left out only when nothing could come out differently."""

import threading
from pathlib import Path

import pytest

from image.stages import StageError, Stages, alone, files_key


class Step:
    """Writes a file, and counts how often it did."""

    def __init__(self, path: Path, text: str = "made") -> None:
        self.path = path
        self.text = text
        self.times = 0

    def __call__(self) -> None:
        self.times += 1
        self.path.write_text(self.text)


@pytest.fixture
def step(tmp_path: Path) -> Step:
    return Step(tmp_path / "made")


def run(tmp_path: Path, step: Step, key: str = "k") -> int:
    Stages(tmp_path / "stages").run("step", key, [step.path], step)
    return step.times


def test_a_step_is_done_once_for_the_same_inputs(tmp_path: Path, step: Step) -> None:
    assert run(tmp_path, step) == 1
    assert run(tmp_path, step) == 1


def test_other_inputs_do_it_again(tmp_path: Path, step: Step) -> None:
    run(tmp_path, step)
    assert run(tmp_path, step, "other") == 2


def test_a_changed_product_does_it_again(tmp_path: Path, step: Step) -> None:
    run(tmp_path, step)
    step.path.write_text("changed")
    assert run(tmp_path, step) == 2
    assert step.path.read_text() == "made"


def test_a_lost_product_does_it_again(tmp_path: Path, step: Step) -> None:
    run(tmp_path, step)
    step.path.unlink()
    assert run(tmp_path, step) == 2


def test_a_damaged_stamp_does_it_again(tmp_path: Path, step: Step) -> None:
    run(tmp_path, step)
    (tmp_path / "stages" / "step.json").write_text("{")
    assert run(tmp_path, step) == 2


def test_a_step_that_failed_is_not_taken_for_done(tmp_path: Path, step: Step) -> None:
    run(tmp_path, step)

    def fails() -> None:
        raise OSError("no room")

    stages = Stages(tmp_path / "stages")
    with pytest.raises(OSError, match="no room"):
        stages.run("step", "other", [step.path], fails)
    assert run(tmp_path, step) == 2


def test_a_step_has_to_make_what_it_is_there_for(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="wanted"):
        Stages(tmp_path).run("step", "k", [tmp_path / "made"], lambda: None)


def test_the_key_is_names_contents_and_texts(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("1")
    keys = {files_key([path]), files_key([path], x="1"), files_key([])}
    path.write_text("2")
    keys.add(files_key([path]))
    assert len(keys) == 4


def test_two_builds_in_one_folder_come_one_after_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order: list[str] = []

    def second() -> None:
        with alone(tmp_path):
            order.append("second")

    with alone(tmp_path):
        other = threading.Thread(target=second)
        other.start()
        while "waiting for another build" not in capsys.readouterr().err:
            other.join(0.01)
        order.append("first")
    other.join()
    assert order == ["first", "second"]
