# SPDX-License-Identifier: Apache-2.0
"""A plan as QEMU's arguments and as libvirt's domain: the templates beside this file, filled in.

A template is all there is: no option is added by code, so what is launched can be read in one
place; what belongs to a disk that was not given is left out. A value goes into the arguments as it
is, one argument each, without a shell, and into the domain as XML text.
"""

from __future__ import annotations

import re
from pathlib import Path
from string import Template
from xml.sax.saxutils import escape

from attest.statement import Platform
from image.launch.plan import LaunchError, Plan

QEMU = "qemu-system-x86_64"
OPTIONAL = "endorsements"

_HERE = Path(__file__).parent
_OPTIONAL_ELEMENT = re.compile(rf" *<!-- {OPTIONAL} -->\n(.*?) *<!-- end -->\n", re.DOTALL)
_STEMS = {Platform.SEV_SNP: "snp", Platform.TDX: "tdx"}


def rows(platform: Platform) -> tuple[tuple[str, ...], ...]:
    """The options of a platform's template, each with its value if it has one."""
    lines = (_HERE / f"{_STEMS[platform]}.args").read_text(encoding="ascii").splitlines()
    return tuple(
        tuple(line.split(" ", maxsplit=1)) for line in lines if line and not line.startswith("#")
    )


def qemu_arguments(plan: Plan) -> tuple[str, ...]:
    """The whole command: the program, and one argument for each word of the template.

    Raises:
        LaunchError: the template asks for a value that a plan does not have, or a file is missing.
    """
    values = plan.values()
    words = (word for row in rows(plan.platform) if _given(row, values) for word in row)
    return (QEMU, *(_fill(word, values) for word in words))


def libvirt_domain(plan: Plan) -> str:
    """The domain, as `virsh define` takes it.

    Raises:
        LaunchError: see `qemu_arguments`.
    """
    template = (_HERE / f"{_STEMS[plan.platform]}.xml").read_text(encoding="ascii")
    values = {name: escape(value, {'"': "&quot;"}) for name, value in plan.values().items()}
    template = _OPTIONAL_ELEMENT.sub(r"\1" if OPTIONAL in values else "", template)
    # The first line is a comment for readers of the template.
    return _fill(template.split("\n", maxsplit=1)[1], values)


def _given(row: tuple[str, ...], values: dict[str, str]) -> bool:
    """Whether a row is of this launch: the one disk that may be missing stands in two."""
    return OPTIONAL in values or not any(OPTIONAL in word for word in row)


def _fill(text: str, values: dict[str, str]) -> str:
    try:
        return Template(text).substitute(values)
    except (KeyError, ValueError) as error:
        raise LaunchError("template", f"one of {', '.join(sorted(values))}", str(error)) from error
