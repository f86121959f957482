# SPDX-License-Identifier: Apache-2.0
"""A running guest as the host's kernel sees it: ids, capabilities, filters, networks, descriptors.

What a process may then do is tried in `tests/guest/test_isolation.py`.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from attest.receipt import Ended
from guest import limits, sandbox, users
from guest.door import Process
from lab.memscan import children
from sealroom import RefusedByGuest, Tone
from tests.flow import processes
from tests.flow.programs.drills import Drill
from tests.flow.site import Site, together

ROOT = os.geteuid() == 0
NAMESPACES = ("net", "ipc", "uts")


@pytest.fixture(scope="module")
def living(drill: Site) -> dict[Process, int]:
    """All four by process id, while a worker lives."""
    with together(1) as pool, drill.room() as room:
        answer = pool.submit(lambda: "".join(room.rewrite_stream(Drill.COUNT, Tone.FRIENDLY)))
        found = drill.pids()
        worker = processes.until("a worker in its sandbox", lambda: filtered(drill.init))
        seen = {**found, Process.WORKER: worker}
        facts = {process: Facts(pid) for process, pid in seen.items()}
        answer.result()
    LOOKED.update(facts)
    return seen


class Facts:
    """What /proc says of a process, read at once, as a worker does not live long."""

    def __init__(self, pid: int) -> None:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        self.status: Mapping[str, str] = dict(
            line.split(":\t", 1) for line in lines if ":\t" in line
        )
        self.namespaces = {
            kind: str(Path(f"/proc/{pid}/ns/{kind}").readlink()) for kind in NAMESPACES
        }
        self.descriptors = sorted(
            str(entry.readlink()).partition(":")[0] for entry in Path(f"/proc/{pid}/fd").iterdir()
        )
        self.limits = Path(f"/proc/{pid}/limits").read_text()
        self.interfaces = interfaces(pid)


LOOKED: dict[Process, Facts] = {}


def filtered(init: int) -> int | None:
    """A worker that has entered its own filter, which makes two with the zygote's."""
    for pid in children(processes.guest_processes(init)[Process.ZYGOTE]):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if "Seccomp_filters:\t2" in status:
            return pid
    return None


def interfaces(pid: int) -> list[str]:
    """The network interfaces that a process sees."""
    lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    return [line.partition(":")[0].strip() for line in lines]


@pytest.fixture(params=sandbox.POLICY)
def facts(request: pytest.FixtureRequest, living: dict[Process, int]) -> tuple[Process, Facts]:
    assert living
    return request.param, LOOKED[request.param]


def test_it_can_gain_nothing_and_calls_through_a_filter(facts: tuple[Process, Facts]) -> None:
    process, seen = facts
    assert seen.status["NoNewPrivs"] == "1"
    assert seen.status["Seccomp"] == "2"
    assert seen.status["Seccomp_filters"] == ("2" if process is Process.WORKER else "1")


def test_it_has_no_capability(facts: tuple[Process, Facts]) -> None:
    sets = ("CapInh", "CapPrm", "CapEff", "CapAmb", *(("CapBnd",) if ROOT else ()))
    assert {int(facts[1].status[name], 16) for name in sets} == {0}


@pytest.mark.skipif(not ROOT, reason="without root there is one user; the statement says so")
def test_it_is_its_own_user_and_group(facts: tuple[Process, Facts]) -> None:
    process, seen = facts
    ids = users.USERS[process]
    wanted = [str(ids.real), str(ids.effective), str(ids.saved), str(ids.effective)]
    assert seen.status["Uid"].split() == wanted
    assert seen.status["Gid"].split() == wanted
    assert seen.status["Groups"].split() == []


@pytest.mark.skipif(
    sandbox.OWN_NAMESPACES.name in sandbox.missing(), reason="the host does not allow it"
)
def test_it_is_in_no_namespace_of_the_host_and_sees_no_network(
    facts: tuple[Process, Facts],
) -> None:
    seen = facts[1]
    for kind in NAMESPACES:
        assert seen.namespaces[kind] != str(Path(f"/proc/self/ns/{kind}").readlink())
    assert seen.interfaces == ["lo"]


def test_gate_keyholder_and_zygote_share_no_namespace_and_a_worker_has_its_zygotes(
    living: dict[Process, int],
) -> None:
    assert living
    nets = {process: seen.namespaces["net"] for process, seen in LOOKED.items()}
    assert nets.pop(Process.WORKER) == nets[Process.ZYGOTE]
    assert len(set(nets.values())) == len(nets)


def test_it_leaves_no_core_and_has_few_descriptors(facts: tuple[Process, Facts]) -> None:
    process, seen = facts
    rows = {line[:25].strip(): line[25:].split()[1] for line in seen.limits.splitlines()[1:]}
    assert rows["Max core file size"] == "0"
    assert rows["Max open files"] == str(limits.DESCRIPTORS_MAX[process])
    assert int(rows["Max data size"]) < 4 << 30


def test_a_worker_has_its_two_doors_and_nothing_else(living: dict[Process, int]) -> None:
    assert living
    assert LOOKED[Process.WORKER].descriptors == [*["/dev/null"] * 3, "socket", "socket"]


@pytest.mark.slow
def test_a_worker_that_takes_all_memory_fails_alone(drill: Site) -> None:
    with drill.room() as room, together(2) as pool:
        counting = pool.submit(lambda: "".join(room.rewrite_stream(Drill.COUNT, Tone.FRIENDLY)))
        with pytest.raises(RefusedByGuest) as caught:
            room.rewrite(Drill.MEMORY, Tone.FRIENDLY)
        assert counting.result()  # it has come to its end, with a receipt
    assert (caught.value.receipt.ended, caught.value.receipt.code) == (
        Ended.EXITED,
        os.EX_SOFTWARE,
    )
    drill.serves()
