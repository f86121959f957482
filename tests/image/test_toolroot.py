# SPDX-License-Identifier: Apache-2.0
"""Tools are laid out without running anything, and entered without root, network or environment."""

import subprocess
from pathlib import Path

import pytest

from image.deb import DebError
from image.toolroot import MADE, Mount, ToolError, command, laid_key, lay, run
from tests.image.debs import deb, member, tar

# The one program of this root. It says what it sees.
PROGRAM = r"""
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <dirent.h>
#include <sys/stat.h>
extern char **environ;
static int may_write(const char *path) {
    FILE *file = fopen(path, "w");
    if (file) { fputs("written\n", file); fclose(file); }
    return file != NULL;
}
int main(int argc, char **argv) {
    char line[256];
    int interfaces = -2; /* two lines of titles */
    FILE *net = fopen("/proc/net/dev", "r");
    while (net && fgets(line, sizeof line, net)) interfaces++;
    printf("uid %d\ninterfaces %d\n", getuid(), interfaces);
    printf("usr %d\n", may_write("/usr/written"));
    printf("in %d\n", may_write("/build/in/written"));
    printf("out %d\n", may_write("/build/out/written"));
    printf("tmp %d\n", may_write("/tmp/written"));
    printf("null %d\n", may_write("/dev/null"));
    for (int i = 1; i < argc; i++) printf("argv %s\n", argv[i]);
    for (char **e = environ; *e; e++) printf("environ %s\n", *e);
    return argc > 1 && !strcmp(argv[argc - 1], "fail") ? 3 : 0;
}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tool root laid from one package whose only program is the one above."""
    folder = tmp_path_factory.mktemp("tools")
    (folder / "program.c").write_text(PROGRAM)
    built = ["cc", "-static", "-o", str(folder / "program"), str(folder / "program.c")]
    subprocess.run(built, check=True)
    packed = tar(
        ("./bin/tool", (folder / "program").read_bytes()),
        ("./usr/share/doc/tool/copyright", b"text"),
        ("./etc/tool.conf", b"a"),
    )
    (folder / "tool.deb").write_bytes(deb(packed))
    root = folder / "root"
    root.mkdir()
    lay({"tool": folder / "tool.deb"}, root)
    (root / "usr/bin/tool").chmod(0o755)
    return root


def seen(root: Path, tmp_path: Path, *argv: str) -> list[str]:
    """What the program printed when run with a read-only and a writable folder."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    mounts = [Mount(tmp_path / "in", "/build/in"), Mount(tmp_path / "out", "/build/out", True)]
    run(argv, root=root, mounts=mounts, env={"EXTRA": "1"}, log=tmp_path / "log")
    return (tmp_path / "log").read_text().splitlines()


def test_a_command_sees_nothing_of_the_machine(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "of the machine")
    lines = seen(root, tmp_path, "tool", "argument")
    assert lines == [
        "uid 0",
        "interfaces 1",
        "usr 0",
        "in 0",
        "out 1",
        "tmp 1",
        "null 1",
        "argv argument",
        "environ EXTRA=1",
        "environ HOME=/tmp",
        "environ LC_ALL=C",
        "environ PATH=/usr/bin:/usr/sbin",
        "environ SOURCE_DATE_EPOCH=0",
        "environ TZ=UTC",
    ]
    assert (tmp_path / "out/written").read_text() == "written\n"
    assert list((tmp_path / "in").iterdir()) == []


def test_a_failing_command_is_an_error_with_its_last_words(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"(?s)argv fail.*wanted exit 0, got 3"):
        seen(root, tmp_path, "tool", "fail")


def test_each_line_is_told_while_the_command_runs(root: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    run(["tool"], root=root, log=tmp_path / "log", on_line=lines.append)
    assert lines == (tmp_path / "log").read_text().splitlines()
    assert lines[0] == "uid 0"


@pytest.mark.parametrize("target", ["/usr/in", "/build/../usr", "build/in"])
def test_a_folder_is_mounted_under_build_only(tmp_path: Path, target: str) -> None:
    with pytest.raises(ToolError, match="mount: wanted a place under /build"):
        command(["tool"], root=tmp_path, mounts=[Mount(tmp_path, target)])


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="mount: wanted a folder"):
        command(["tool"], root=tmp_path, mounts=[Mount(tmp_path / "no", "/build/in")])


def test_documentation_is_left_out_and_links_are_made(root: Path) -> None:
    assert not (root / "usr/share/doc").exists()
    assert (root / "etc/tool.conf").read_bytes() == b"a"
    assert {name: str((root / name).readlink()) for name in MADE} == MADE


def test_two_packages_with_the_same_file_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.deb").write_bytes(deb(tar(("./usr/lib/same", b""))))
    (tmp_path / "root").mkdir()
    with pytest.raises(ToolError, match="usr/lib/same: wanted from one package, got from two"):
        lay({name: tmp_path / f"{name}.deb" for name in ("one", "two")}, tmp_path / "root")


def test_set_id_bits_are_not_kept(tmp_path: Path) -> None:
    program = member("./usr/bin/su", mode=0o4755)
    (tmp_path / "su.deb").write_bytes(deb(tar(program)))
    (tmp_path / "root").mkdir()
    lay({"su": tmp_path / "su.deb"}, tmp_path / "root")
    assert (tmp_path / "root/usr/bin/su").stat().st_mode & 0o7777 == 0o755


def test_a_package_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.deb").write_bytes(b"!<arch>\n")
    (tmp_path / "root").mkdir()
    with pytest.raises(DebError, match=r"bad\.deb"):
        lay({"bad": tmp_path / "bad.deb"}, tmp_path / "root")


def test_another_lock_is_another_root(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    assert laid_key(tmp_path / "one") != laid_key(tmp_path / "two")
