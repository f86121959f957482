# SPDX-License-Identifier: Apache-2.0
"""Build the image: `python -m image.build`. No root; one SHA-256 for each file that comes out.

Out of locked packages, the sources of this checkout and libraries and a kernel built here comes
``build/image/release/VARIANT/{vmlinuz,initrd,cmdline}``. The rule that holds here: what comes out
depends on what is committed, not on the machine, the user, the time or the place; `image.repro`
builds twice and compares. A second build without changes takes seconds (`image.stages`).

With ``--kernel debian`` the kernel is Debian's, which has modules: it comes out in
``build/image/debian/VARIANT``, with the modules laid over the same image.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image import files, firmware, kernel_build, layout, licences, modules, overlay
from image.cpio import read_cpio, write_cpio
from image.errors import ImageError
from image.fetch import fetch
from image.llama import build_llama
from image.model import Model, load_model
from image.overlay import Variant
from image.research import inspection
from image.stages import Stages, alone, digest, files_key, say
from image.toolroot import Mount, run
from image.wheels import LOCK as WHEELS
from image.wheels import fetch_wheels, package_files
from sealroom.release.layout import LICENCES, MODEL, SNP_FIRMWARE, TDX_FIRMWARE

HERE = Path(__file__).resolve().parent
OUT = Path("build/image")
ROOTFS = HERE / "locks" / "rootfs.json"
RESEARCH = HERE / "locks" / "research.json"
TOOLS = HERE / "locks" / "tools.json"
# One thread: how the work is divided is part of the bytes.
ZSTD = ("zstd", "-10", "--single-thread", "--no-progress", "--quiet", "--force")
KERNELS = ("hardened", "debian")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for: the variants, the kernel, where to, and what to do about the file list."""

    variants: tuple[Variant, ...]
    kernel: str
    out: Path
    model: Model
    write_files: bool

    @property
    def release(self) -> Path:
        """Where the artefacts go."""
        return self.out / ("release" if self.kernel == "hardened" else self.kernel)

    def cmdline(self, variant: Variant) -> str:
        """Return a variant's command line."""
        more = "debian" if self.kernel == "debian" else None
        return overlay.variant_command_line(variant, self.model.sha256, self.model.size, more)


def recipe() -> list[Path]:
    """Return the files of the recipe that the tree depends on, besides our sources."""
    own = [path for path in HERE.glob("*.py") if path.name not in ("measure.py", "repro.py")]
    return [*sorted(own), layout.LEFT_OUT, ROOTFS, WHEELS, overlay.PROJECT]


def tree_key(plan: Plan, llama: Path) -> str:
    """Return the digest of everything that the tree is made of."""
    below = f"{layout.PACKAGES}/"
    sources = [layout.ROOT / e.path.removeprefix(below) for e in layout.own_entries()]
    libraries, templates = sorted(llama.glob("*.so*")), sorted(overlay.TEMPLATES.iterdir())
    model = f"{plan.model.sha256} {plan.model.size}"
    return files_key([*recipe(), *sources, *libraries, *templates], model=model)


def lay_out(plan: Plan, llama: Path, archive: Path, listed: Path) -> None:
    """Make the production image's tree, and write its archive and the list of what is in it.

    Raises:
        ImageError: a part is missing.
    """
    scratch = archive.parent / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    hardened = overlay.variant_command_line(Variant.PRODUCTION, plan.model.sha256, plan.model.size)
    tree = layout.lay_out(
        layout.debian_entries(fetch(ROOTFS)),
        package_files(fetch_wheels()),
        layout.own_entries(),
        layout.llama_entries(llama),
        published=overlay.published_json(Variant.PRODUCTION, hardened),
        scratch=scratch,
    )
    archive.write_bytes(write_cpio(tree))
    listed.write_text(files.file_list(tree))
    shutil.rmtree(scratch)


def compress(archive: Path, initrd: Path) -> None:
    """Compress with the locked zstd.

    Raises:
        ImageError: the tools cannot be had.
    """
    inside = "/build/out"
    words = [*ZSTD, f"{inside}/{archive.name}", "-o", f"{inside}/{initrd.name}"]
    run(words, mounts=[Mount(archive.parent, inside, True)], log=archive.with_suffix(".log"))


def build(plan: Plan, stages: Stages) -> dict[str, str]:
    """Build everything that the plan asks for; return each artefact's SHA-256 by its path.

    Raises:
        ImageError: an input is missing or another one, or a step failed.
    """
    llama = plan.out / "llama"
    build_llama(llama)
    tree = plan.out / "tree"
    tree.mkdir(parents=True, exist_ok=True)
    archive, initrd, listed = (tree / name for name in ("initrd.cpio", "initrd.zst", "files.txt"))
    made = [archive, listed]
    stages.run("tree", tree_key(plan, llama), made, lambda: lay_out(plan, llama, *made))
    files.check(listed.read_text(), files.LIST, write=plan.write_files)
    key = files_key([archive, TOOLS], command=" ".join(ZSTD))
    stages.run("compress", key, [initrd], lambda: compress(archive, initrd))
    made = []
    for variant in plan.variants:
        made += make_variant(plan, stages, variant, archive, initrd)
    made += shared(plan, stages)
    return {str(path.relative_to(plan.release)): digest(path) for path in made}


def make_variant(
    plan: Plan, stages: Stages, variant: Variant, archive: Path, base: Path
) -> list[Path]:
    """Put kernel, initrd and command line of one variant into its folder; return their paths."""
    debian = plan.kernel == "debian"
    kernel = kernel_build.build("debian" if debian else variant, plan.out / "kernel")
    folder = plan.release / variant
    paths = [folder / name for name in ("vmlinuz", "initrd", "cmdline")]
    cmdline = plan.cmdline(variant)

    def step() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        more = [*(modules.entries(kernel.parent) if debian else ())]
        if variant == Variant.RESEARCH:
            added = list(inspection(fetch(RESEARCH), read_cpio(archive.read_bytes())))
            listed = files.file_list(added)
            files.check(listed, files.RESEARCH_LIST, write=plan.write_files)
            more += added
        data = base.read_bytes()
        if debian or variant != Variant.PRODUCTION:
            data = overlay.laid_over(data, overlay.variant_overlay(variant, cmdline, more))
        shutil.copyfile(kernel, paths[0])
        paths[1].write_bytes(data)
        # No newline: the firmware measures the text, and the launch line has it as it is.
        paths[2].write_text(cmdline, encoding="ascii")

    inputs = [kernel, base, RESEARCH, *recipe()]
    if variant == Variant.RESEARCH and files.RESEARCH_LIST.exists() and not plan.write_files:
        inputs.append(files.RESEARCH_LIST)
    key = files_key(inputs, cmdline=cmdline)
    stages.run(f"{plan.kernel}-{variant}", key, paths, step)
    return paths


def shared(plan: Plan, stages: Stages) -> list[Path]:
    """Put into the release what its variants share: firmware, licences and the model."""
    if plan.kernel != "hardened":
        return []
    model = plan.release / MODEL
    made = [plan.release / name for name in (SNP_FIRMWARE, TDX_FIRMWARE)]

    def write_firmware() -> None:
        for name, data in firmware.build(fetch(firmware.LOCK)).items():
            (plan.release / name).write_bytes(data)

    stages.run("firmware", files_key([firmware.LOCK, *recipe()]), made, write_firmware)
    text = plan.release / LICENCES

    def write_licences() -> None:
        text.write_bytes(licences.licences())

    stages.run("licences", files_key([*licences.inputs(), *recipe()]), [text], write_licences)
    made.append(text)
    if plan.model.path is None:
        say(f"{plan.model.name}: not here, so it is not in the release (make model)")
        return made
    source = plan.model.path

    def copy_model() -> None:
        shutil.copyfile(source, model)

    stages.run("model", plan.model.sha256, [model], copy_model)
    return [*made, model]


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the arguments, build, and print what came out."""
    parser = argparse.ArgumentParser(
        prog="python -m image.build", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--variant", type=Variant, choices=list(Variant), action="append", help="default: all three"
    )
    parser.add_argument("--kernel", choices=KERNELS, default="hardened", help="default: hardened")
    parser.add_argument("--model", type=Path, help="another model; the measurements will differ")
    parser.add_argument("--out", type=Path, default=OUT, help=f"default: {OUT}")
    parser.add_argument(
        "--write-files", action="store_true", help="write image/files.txt as this build comes out"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    try:
        plan = Plan(
            variants=tuple(dict.fromkeys(options.variant or Variant)),
            kernel=options.kernel,
            out=options.out,
            model=load_model(options.model),
            write_files=options.write_files,
        )
        stages = Stages(plan.out / "stages")
        with alone(plan.out):
            made = build(plan, stages)
    except ImageError as error:
        print(error, file=sys.stderr)
        return 1
    took_s = round(time.monotonic() - began, 1)
    if options.json:
        print(json.dumps({"sha256": made, "steps_s": stages.took_s, "took_s": took_s}, indent=1))
    else:
        for path, value in made.items():
            print(f"{value}  {plan.release / path}")
        say(f"done, {took_s} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
