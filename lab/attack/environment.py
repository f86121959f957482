# SPDX-License-Identifier: Apache-2.0
"""Attacks by a host that puts names into the guest's environment, at every place where it can.

Trail of Bits found such a way in WhatsApp's Private Processing (TOB-WAPI-13): what the measured
image is told by its environment is not measured. Our processes get a literal environment from init
and run Python in isolated mode; the host's own words come in through closed schemas.

A marker is a library or a Python file that the hostile names point to; it is loaded if one works.
That they would work is tried with a Python that is not isolated.
"""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from guest.config import ConfigError, parse_config
from guest.environment import ENVIRONMENT
from lab.attack.alone import Alone, control, running
from lab.attack.site import LabSite
from lab.mocktsm import MockTsm
from sealroom.attack.attack import Attack, Needs, UnclearError, Verdict, refused, succeeded
from wire.yamldoc import load_yaml

LIMIT_S: Final = 120.0
LIBRARY, FOLDER, SCRIPT, WORD = "library", "folder", "script", "word"

# What each name is made to point to. Not here: PYTHONEXECUTABLE, which even an isolated Python
# believes. Whoever starts init must not pass it; in the image that is the measured command line.
NAMES: Final[dict[str, str]] = {
    **dict.fromkeys(("LD_PRELOAD", "LD_AUDIT", "LLAMA_CPP_LIB", "OPENSSL_ENGINES"), LIBRARY),
    **dict.fromkeys(
        (
            *("LD_LIBRARY_PATH", "LLAMA_CPP_LIB_PATH", "GCONV_PATH", "LOCPATH", "NLSPATH"),
            *("PYTHONPATH", "PYTHONUSERBASE", "PYTHONPLATLIBDIR", "PYTHONPYCACHEPREFIX"),
            *("PYTHONHOME", "HOME", "TMPDIR", "TERMINFO", "XDG_CONFIG_HOME", "SSL_CERT_DIR"),
            *("GGML_BACKEND_PATH", "LLAMA_CACHE", "OPENSSL_MODULES", "RESOLV_HOST_CONF"),
            *("TZDIR", "PATH", "CUDA_CACHE_PATH"),
        ),
        FOLDER,
    ),
    **dict.fromkeys(
        (
            *("PYTHONSTARTUP", "BASH_ENV", "ENV", "OPENSSL_CONF", "SSL_CERT_FILE"),
            *("REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE", "LLAMA_ARG_MODEL", "LLAMA_ARG_LOG_FILE"),
            *("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "MALLOC_TRACE", "COVERAGE_PROCESS_START"),
            *("LD_DEBUG_OUTPUT", "HOSTALIASES"),
        ),
        SCRIPT,
    ),
    **dict.fromkeys(
        (
            *(
                "PYTHONINSPECT",
                "PYTHONDEBUG",
                "PYTHONVERBOSE",
                "PYTHONDUMPREFS",
                "PYTHONTRACEMALLOC",
            ),
            *("PYTHONFAULTHANDLER", "PYTHONASYNCIODEBUG", "PYTHONDEVMODE", "PYTHONMALLOCSTATS"),
            *(
                "LLAMA_ARG_THREADS",
                "LLAMA_LOG_VERBOSITY",
                "GGML_VK_VISIBLE_DEVICES",
                "OMP_NUM_THREADS",
            ),
            *(
                "OMP_DISPLAY_ENV",
                "KMP_AFFINITY",
                "MALLOC_PERTURB_",
                "MALLOC_ARENA_MAX",
                "LD_BIND_NOW",
            ),
            *("GRPC_VERBOSITY", "GRPC_TRACE", "OPENSSL_ia32cap", "SOURCE_DATE_EPOCH"),
        ),
        WORD,
    ),
    "PYTHONBREAKPOINT": "json.loads",
    "PYTHONWARNINGS": "default",
    "LD_DEBUG": "statistics",
    "GLIBC_TUNABLES": "glibc.malloc.check=3",
    "JAVA_TOOL_OPTIONS": "-agentpath:marker",
    "NODE_OPTIONS": "--require=marker",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "socks5://127.0.0.1:9",
    "LC_ALL": "de_DE.UTF-8",
    "LANGUAGE": "de",
    "TZ": "Pacific/Kiritimati",
}
SCRIPTS: Final = ("sitecustomize.py", "usercustomize.py", "json.py", "marker.py", "guest.py")
# These keep a Python that is not isolated from starting at all, so the control goes without.
NOT_IN_CONTROL: Final = frozenset({"PYTHONHOME", "PYTHONPLATLIBDIR", "PYTHONINSPECT", "LD_AUDIT"})


class Trap:
    """A folder full of markers, and who has stepped into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sprung = folder / "sprung"
        self.sprung.mkdir(parents=True)
        found = ctypes.util.find_library("m")
        loaded = next((path for path in _mapped(os.getpid()) if found and found in path), None)
        if loaded is None:
            raise UnclearError("no library to make a marker of")
        for name in ("marker.so", Path(loaded).name):
            shutil.copyfile(loaded, folder / name)
        code = f"import os; open({str(self.sprung)!r} + f'/{{os.getpid()}}', 'w').close()\n"
        site = (
            folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        )
        site.mkdir(parents=True)
        for where in (folder, site):
            for name in SCRIPTS:
                (where / name).write_text(code)
            (where / "marker.pth").write_text(code)

    def environment(self) -> dict[str, str]:
        """Every name, pointing into the trap."""
        meant = {
            LIBRARY: str(self.folder / "marker.so"),
            FOLDER: str(self.folder),
            SCRIPT: str(self.folder / "marker.py"),
            WORD: "1",
        }
        return {name: meant.get(kind, kind) for name, kind in NAMES.items()}

    def caught(self, pid: int) -> str | None:
        """What of the trap a process has loaded, if anything."""
        if (self.sprung / str(pid)).exists():
            return "it ran a Python file of the host's"
        library = next((path for path in _mapped(pid) if path.startswith(str(self.folder))), None)
        return None if library is None else "it loaded a library of the host's"

    def works(self) -> bool:
        """Whether a Python that is not isolated steps into the trap, both ways."""
        given = {k: v for k, v in self.environment().items() if k not in NOT_IN_CONTROL}
        show = "import os; print(os.getpid()); print(open('/proc/self/maps').read())"
        run = subprocess.run(  # noqa: S603 - our own interpreter, no shell
            [sys.executable, "-c", show],
            env=given,
            cwd=self.folder,
            capture_output=True,
            check=False,
            text=True,
        )
        pid, _, maps = run.stdout.partition("\n")
        return (self.sprung / pid).exists() and str(self.folder / "marker.so") in maps


def _mapped(pid: int) -> set[str]:
    """The files that a process has mapped."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {words[5] for line in lines if len(words := line.split(maxsplit=5)) == 6}


def _environment_of(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(entry.decode().split("=", 1) for entry in entries if entry)


async def around_init(site: LabSite) -> Verdict:
    """Every name in the environment of init, which starts in a folder full of markers."""
    guest = Alone(site)
    trap = Trap(guest.cwd)
    if not trap.works():
        raise UnclearError("the markers do not work in a Python that is not isolated")
    guest.environment = trap.environment()
    async with running(guest):
        if not await guest.until_ready():
            raise UnclearError(f"the guest does not start: {guest.journal[-200:]}")
        pids = guest.pids()
        for pid in pids:
            if (theirs := _environment_of(pid)) != ENVIRONMENT:
                return succeeded(f"{', '.join(sorted(set(theirs) - set(ENVIRONMENT)))} got in")
            if what := trap.caught(pid):
                return succeeded(what)
        if (trap.sprung / str(guest.process.pid if guest.process else 0)).exists():
            return succeeded("init ran a Python file of the host's")
    return refused(
        f"{len(NAMES)} names; {len(pids)} processes with the literal environment, none loaded one"
    )


async def in_configuration(site: LabSite) -> Verdict:
    """Every name as a field of the configuration document, at each place where fields stand."""
    document = Alone(site).config
    parse_config(document)
    fields: dict[str, Any] = load_yaml(document, what="configuration")  # type: ignore[assignment]
    places = [None, *(name for name, value in fields.items() if isinstance(value, dict))]
    for name in NAMES:
        for place in places:
            tried = _with_field(document, place, name)
            try:
                parse_config(tried)
            except ConfigError:
                continue
            return succeeded(f"{place or 'the document'} takes a field {name}")
    guest = Alone(site)
    guest.config += b"environment:\n" + b"".join(f"  {n}: x\n".encode() for n in NAMES)
    await control(site)
    async with running(guest):
        if await guest.until_ready() or guest.ended != 1:
            return succeeded("a guest with a field environment started")
    return refused(f"{len(NAMES)} names in {len(places)} places; a guest with them did not start")


def _with_field(document: bytes, place: str | None, name: str) -> bytes:
    """The document with one more field, at its top or at the beginning of a section."""
    if place is None:
        return document + f"{name}: x\n".encode()
    head = f"{place}:\n".encode()
    return document.replace(head, head + f"  {name}: x\n".encode(), 1)


async def in_platform_document(site: LabSite) -> Verdict:
    """Every name as a member of the document that describes the mock platform."""
    plain = Alone(site).plan.mock()
    MockTsm.from_plain(plain)
    for name in NAMES:
        for tried in ({**plain, name: "x"}, {**plain, "faults": {name: "always"}}):
            try:
                MockTsm.from_plain(tried)
            except ValueError:
                continue
            return succeeded(f"the platform takes {name}")
    return refused(f"{len(NAMES)} names in 2 places")


async def in_arguments(site: LabSite) -> Verdict:
    """Every name among the arguments of init."""
    await control(site)
    words = [f"{name}=x" for name in NAMES]
    for arguments in (words, [f"--{words[0]}"], ["--environment", words[0]], ["-E", words[0]]):
        guest = Alone(site, arguments=arguments)
        async with running(guest):
            if await guest.until_ready() or not guest.ended:
                return succeeded(f"a guest with {arguments[0]} among its arguments started")
    return refused(f"{len(NAMES)} names among the arguments: the guest did not start")


_REFERENCE: Final = "TOB-WAPI-13 (environment injection after measurement)"

ATTACKS: Final[tuple[Attack[LabSite], ...]] = (
    Attack(
        "environment-around-init",
        f"{_REFERENCE}; CWE-426, CWE-427",
        f"start init with {len(NAMES)} hostile names, in a folder of files that shadow modules",
        "a literal environment and isolated Python: guest.init",
        around_init,
        LIMIT_S,
        Needs.LAB,
    ),
    Attack(
        "environment-in-configuration",
        f"{_REFERENCE}; CWE-15",
        "write the names into the configuration document",
        "a closed schema: guest.config",
        in_configuration,
        LIMIT_S,
        Needs.LAB,
    ),
    Attack(
        "environment-in-platform-document",
        f"{_REFERENCE}; dstack #562",
        "write the names into the document that describes the platform",
        "closed members: lab.mocktsm.MockTsm.from_plain",
        in_platform_document,
        needs=Needs.LAB,
    ),
    Attack(
        "environment-in-arguments",
        f"{_REFERENCE}; CWE-88",
        "pass the names to init as arguments",
        "unknown arguments end it: lab.guest",
        in_arguments,
        LIMIT_S,
        Needs.LAB,
    ),
)
