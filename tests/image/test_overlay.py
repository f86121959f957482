# SPDX-License-Identifier: Apache-2.0
"""The three variants differ where they must, and in nothing else."""

import json

import pytest

from guest.boot.published import Variant as GuestVariant
from guest.boot.published import parse_published
from image import cpio, overlay
from image.cpio import read_cpio, write_cpio
from image.layout import INIT, PUBLISHED
from image.overlay import (
    OverlayError,
    Variant,
    command_line,
    laid_over,
    published_json,
    variant_command_line,
    variant_overlay,
)
from image.research import SHELL, research_init

SHA = "ab" * 32
LINES = {variant: variant_command_line(variant, SHA, 7) for variant in Variant}


@pytest.mark.parametrize("variant", Variant)
def test_the_guest_reads_what_the_image_says_of_itself(variant: Variant) -> None:
    published = parse_published(published_json(variant, LINES[variant]))
    assert published.variant == GuestVariant(variant.value)
    assert published.cmdline == LINES[variant]
    assert published.product.startswith(f"Sealroom {overlay.version()}")


def test_the_guest_knows_the_same_variants() -> None:
    assert [*map(str, Variant)] == [*map(str, GuestVariant)]


def test_the_document_is_in_its_canonical_form() -> None:
    data = published_json(Variant.TEST, "a b=c")
    assert data == (
        b'{"cmdline":"a b=c","format":"sealroom-published/1",'
        b'"product":"Sealroom ' + overlay.version().encode() + b' TEST","variant":"test"}'
    )


@pytest.mark.parametrize("variant", Variant)
def test_the_command_line_names_the_model_once_and_last(variant: Variant) -> None:
    assert LINES[variant].split(" ")[-1] == f"sealroom.model=sha256:{SHA}:7"
    assert LINES[variant].count("sealroom.") == 1


@pytest.mark.parametrize("variant", Variant)
def test_every_variant_wipes_memory_and_locks_the_kernel_down(variant: Variant) -> None:
    words = LINES[variant].split(" ")
    wanted = {"init_on_free=1", "init_on_alloc=1", "lockdown=confidentiality", "panic=-1"}
    assert wanted | {"random.trust_bootloader=0", "acpi_no_static_ssdt"} <= set(words)


def test_only_the_research_image_has_a_console() -> None:
    consoles = {v: [w for w in line.split(" ") if "console" in w] for v, line in LINES.items()}
    quiet = ["console=null"]
    assert consoles == {
        Variant.PRODUCTION: quiet,
        Variant.TEST: quiet,
        Variant.RESEARCH: ["console=ttyS0"],
    }


def test_the_test_image_has_the_production_images_words() -> None:
    assert LINES[Variant.TEST] == LINES[Variant.PRODUCTION]


def test_a_kernels_own_words_come_first() -> None:
    line = variant_command_line(Variant.PRODUCTION, SHA, 7, "debian")
    assert line.endswith(LINES[Variant.PRODUCTION])
    assert "ia32_emulation=0" in line.split(" ")


def test_a_key_comes_once() -> None:
    with pytest.raises(OverlayError, match=r"each key once, got \['a'\] twice"):
        command_line("a=1 b a=2", sha256=SHA, size=1)


@pytest.mark.parametrize("template", ["a=ü", "a=\x7f", ""])
def test_only_printable_ascii_is_a_command_line(template: str) -> None:
    with pytest.raises(OverlayError, match="printable ASCII"):
        command_line(template, sha256=SHA, size=1)


def test_the_kernel_takes_so_many_bytes_and_the_loaders_word_is_among_them() -> None:
    room = overlay.CMDLINE_MAX_BYTES - len(overlay.PREFIX)
    assert len(command_line("a" * room, sha256=SHA, size=1)) == room
    with pytest.raises(OverlayError, match="2047 bytes at most"):
        command_line("a" * (room + 1), sha256=SHA, size=1)


def test_an_overlay_replaces_the_document_and_adds_what_it_is_given() -> None:
    more = cpio.file("usr/bin/strace", b"s", 0o755)
    entries = read_cpio(variant_overlay(Variant.RESEARCH, "a", [more]))
    found = {entry.path: entry for entry in entries}
    assert json.loads(found[PUBLISHED].data)["variant"] == "research"
    assert found["usr/bin/strace"] == more
    assert set(found) - {"usr", "usr/bin", "usr/lib", "usr/lib/sealroom"} == {
        PUBLISHED,
        "usr/bin/strace",
    }


def test_the_image_below_keeps_its_bytes_and_the_overlay_begins_where_the_kernel_looks() -> None:
    archive = write_cpio([cpio.folder("a")])
    for size in range(1, 9):
        whole = laid_over(b"x" * size, archive)
        assert whole.startswith(b"x" * size)
        assert whole.endswith(archive)
        assert (len(whole) - len(archive)) % 4 == 0


def test_the_research_images_first_program_is_the_same_with_a_shell_before() -> None:
    init = research_init()
    assert init.replace(SHELL, b"") == INIT
    assert init.index(b"os.fork") < init.index(b"pid1")
    compile(init, "/init", "exec")
