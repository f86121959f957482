# SPDX-License-Identifier: Apache-2.0
"""A private apt: the machine's mirror and keyring, and nothing else of the machine.

The rule that holds here: apt reads and writes in a folder of ours only, as whoever we are, so that
neither the system's packages nor its configuration are touched or needed. The address of the
mirror is read from the machine's own sources (sources.list(5), both forms) and stands nowhere in
this repository. Who builds an old release again, after the live mirror dropped a version, names an
archive that kept it in `SEALROOM_DEBIAN_MIRROR` and `SEALROOM_SECURITY_MIRROR`.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from image.errors import ImageError

SUITES = {
    "bookworm": ("bookworm", "bookworm-updates", "bookworm-security"),
    "trixie": ("trixie", "trixie-updates", "trixie-security"),
    "sid": ("sid",),
}
"""What a lock's `suite` stands for: the suites of the archive in which a version may be found."""

MIRROR_VARIABLES = {False: "SEALROOM_DEBIAN_MIRROR", True: "SEALROOM_SECURITY_MIRROR"}
"""Environment variables that replace the machine's mirror, by "is it the security archive"."""

SOURCES = Path("/etc/apt")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SOURCES_MAX_BYTES = 1 << 20
APT_MAX_S = 1800
WORDS_MAX_CHARS = 200

# A source is Debian's if it offers a suite of this form; other archives on the machine do not.
_SUITE = re.compile(
    r"(?:bookworm|trixie|forky|sid|stable|oldstable|testing|unstable)(?P<security>-security)?"
)
# Of the machine's apt configuration we take how to reach the network, and nothing else.
_REACH = re.compile(
    r"Acquire::https?::(?:.*::)?(?:Proxy|Proxy-Auto-Detect|CAInfo)(?:::.*)? \".*\";"
)


class AptError(ImageError):
    """apt could not do what was asked; the text has apt's own last words."""


@dataclass(frozen=True, slots=True)
class Source:
    """One place that offers packages: its address, suites, components and keyring."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    keyring: str | None


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where this machine gets Debian from; `security` is None where it has no such source."""

    archive: str
    security: str | None
    keyring: Path


def parse_one_line(text: str) -> Iterator[Source]:
    """Yield the sources of a file in the one-line form (sources.list(5))."""
    for line in text.splitlines():
        found = re.fullmatch(
            r"\s*deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)((?:\s+[^#\s]+)*)\s*(#.*)?", line
        )
        if found is not None:
            options = dict(part.partition("=")[::2] for part in (found[1] or "").split())
            components = tuple(found[4].split())
            yield Source(found[2], (found[3],), components, options.get("signed-by"))


def parse_deb822(text: str) -> Iterator[Source]:
    """Yield the enabled sources of a file in the deb822 form (sources.list(5))."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n[ \t]*\n", lines):
        rows = re.findall(r"^([A-Za-z0-9-]+):[ \t]*((?:.*)(?:\n[ \t].*)*)", stanza, re.MULTILINE)
        fields = {name.lower(): value.split() for name, value in rows}
        if "deb" in fields.get("types", []) and fields.get("enabled", ["yes"]) != ["no"]:
            signed = fields.get("signed-by", [])
            # A key may also be written out in the file; such a keyring has no path.
            keyring = signed[0] if len(signed) == 1 else None
            for uri in fields.get("uris", []):
                suites, components = fields.get("suites", []), fields.get("components", [])
                yield Source(uri, tuple(suites), tuple(components), keyring)


def machine_sources(folder: Path = SOURCES) -> list[Source]:
    """Return every source of packages that this machine's apt knows."""
    found: list[Source] = []
    for path in (folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))):
        if path.is_file() and path.suffix in {".list", ".sources"}:
            with path.open(encoding="utf-8", errors="replace") as file:
                text = file.read(SOURCES_MAX_BYTES)
            found += parse_deb822(text) if path.suffix == ".sources" else parse_one_line(text)
    return found


def find_mirror(sources: Sequence[Source], environment: Mapping[str, str]) -> Mirror:
    """Return where Debian comes from: the environment's word, else the first of the sources.

    Raises:
        AptError: neither names an archive of Debian.
    """
    found: dict[bool, str] = {}
    keyring: str | None = None
    for source in sources:
        forms = [form for suite in source.suites if (form := _SUITE.fullmatch(suite))]
        if forms and "main" in source.components:
            found.setdefault(forms[0]["security"] is not None, source.uri)
            keyring = keyring or source.keyring
    for security, variable in MIRROR_VARIABLES.items():
        if environment.get(variable):
            found[security] = environment[variable]
    if False not in found:
        raise AptError(
            "mirror: wanted a source of Debian in the machine's apt sources"
            f" or in {MIRROR_VARIABLES[False]}, got none"
        )
    return Mirror(found[False], found.get(True), Path(keyring) if keyring else KEYRING)


def sources_list(suite: str, mirror: Mirror) -> str:
    """Return the text of the private sources.list for one suite of a lock."""
    if suite not in SUITES:
        raise AptError(f"suite: wanted one of {sorted(SUITES)}, got {suite!r}")
    lines = []
    for part in SUITES[suite]:
        uri = mirror.security if part.endswith("-security") else mirror.archive
        if uri is not None:
            lines.append(f"deb [signed-by={mirror.keyring}] {uri} {part} main\n")
    return "".join(lines)


def _configuration(root: Path, reach: Sequence[str]) -> str:
    """Return the whole apt configuration of a private root (apt.conf(5))."""
    return "\n".join(
        [
            f'Dir "{root}";',
            f'Dir::State "{root}/state";',
            f'Dir::State::status "{root}/status";',
            f'Dir::Cache "{root}/cache";',
            f'Dir::Etc "{root}/etc";',
            f'Dir::Log "{root}";',
            'APT::Architecture "amd64";',
            'APT::Architectures { "amd64"; };',
            'APT::Install-Recommends "false";',
            'APT::Sandbox::User "";',
            # One index that cannot be had or is not signed is a failure, not a warning.
            'APT::Update::Error-Mode "any";',
            'Acquire::Languages "none";',
            # A mirror may stand still, and a clock be wrong: what enters the image, the lock says.
            'Acquire::Check-Valid-Until "false";',
            'Acquire::Check-Date "false";',
            *reach,
            "",
        ]
    )


@dataclass(frozen=True, slots=True)
class Apt:
    """apt for one suite, in a folder of its own."""

    root: Path
    suite: str
    environment: dict[str, str] = field(repr=False)

    def run(self, program: str, *arguments: str, where: Path | None = None) -> str:
        """Run apt-get or apt-cache and return what it printed.

        Raises:
            AptError: it cannot be started, takes too long or ends with an error.
        """
        command = [program, "-qq", *arguments]
        try:
            ended = subprocess.run(
                command,
                cwd=where or self.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=APT_MAX_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise AptError(f"{program}: wanted it to run, got {error}") from error
        if ended.returncode:
            words = ended.stderr.strip() or f"exit {ended.returncode}"
            raise AptError(f"{shlex.join(command)[:WORDS_MAX_CHARS]} ({self.suite}): {words}")
        return ended.stdout


def open_apt(root: Path, suite: str) -> Apt:
    """Make a private apt under `root`, an empty folder, and read the suite's signed indices.

    Raises:
        AptError: there is no apt, no mirror, or an index that cannot be had or is not signed.
    """
    mirror = find_mirror(machine_sources(), os.environ)
    root = root.resolve()
    for folder in ("state/lists/partial", "cache/archives/partial", "etc/apt.conf.d"):
        (root / folder).mkdir(parents=True)
    for folder in ("etc/preferences.d", "etc/sources.list.d", "etc/auth.conf.d"):
        (root / folder).mkdir()
    (root / "status").touch()
    (root / "etc/sources.list").write_text(sources_list(suite, mirror))
    environment = {**os.environ, "LC_ALL": "C"}
    environment.pop("APT_CONFIG", None)
    machine = Apt(root, suite, environment)
    reach = [
        line for line in machine.run("apt-config", "dump").splitlines() if _REACH.fullmatch(line)
    ]
    (root / "apt.conf").write_text(_configuration(root, reach))
    apt = Apt(root, suite, {**environment, "APT_CONFIG": str(root / "apt.conf")})
    apt.run("apt-get", "update")
    return apt
