"""What is found out from beside the server, in the load container: standard library only, run as a file.

inside.py machine                  what a container may use here: descriptors, memory, ports, tools
inside.py wait PORT SECONDS PATH [HOST]   until PATH (or, where it is "-", a connection) succeeds: when, last message
inside.py server PORT PATH [HOST]   what a response calls its server, or null
inside.py watch SECONDS            one line of JSON a sample: memory, processes and descriptors of process 1 and all
                                   its children; in the server's PID namespace, with the capability SYS_PTRACE
"""

from __future__ import annotations

import http.client
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PROC = Path("/proc")
#: Process 1's own view of its cgroup: (version, usage, statistics, page cache, shared memory in it, kills).
CGROUP = Path("/proc/1/root/sys/fs/cgroup")


def machine() -> dict[str, Any]:
    """What this container may have: descriptors, memory, CPUs, kernel."""
    meminfo = dict(line.split(":", 1) for line in (PROC / "meminfo").read_text().splitlines())
    low, high = map(int, (PROC / "sys/net/ipv4/ip_local_port_range").read_text().split())
    tools = (("h2load", "--version"), ("wrk", "--version"))
    return {
        "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "cpus": os.cpu_count(),
        "memory_available_bytes": int(meminfo["MemAvailable"].split()[0]) * 1024,
        "memory_bytes": int(meminfo["MemTotal"].split()[0]) * 1024,
        "somaxconn": int((PROC / "sys/net/core/somaxconn").read_text()),
        "ports": high - low + 1,
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        **{name: _first_line([name, *words]) for name, *words in tools},
    }


def _first_line(argv: list[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).partition("\n")[0].partition(" Copyright")[0].strip()


def wait(port: int, seconds: float, path: str, host: str | None = None) -> dict[str, Any]:
    """Send requests until the server is ready, at most ``seconds``; the last message, where it never was."""
    message, deadline = "no request sent", time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=max(0.1, deadline - time.monotonic()))
        try:
            connection.connect()
            if path == "-":
                return {"ready_at": time.time(), "message": "connected"}
            connection.request("GET", path, headers={"Host": host} if host else {})
            message = f"GET {path} returned {(status := connection.getresponse().status)}"
            if 200 <= status < 400:
                return {"ready_at": time.time(), "message": message}
        except (OSError, http.client.HTTPException) as error:
            message = f"{type(error).__name__}: {error}"
        finally:
            connection.close()
        time.sleep(0.01)
    return {"ready_at": None, "message": message}


def server(port: int, path: str, host: str | None = None) -> str | None:
    """What the response calls its server; None where it names none, or there is no response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host} if host else {})
        return connection.getresponse().getheader("Server")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def sample() -> dict[str, Any]:
    """Memory and processes of the container's server, now."""
    family = _family()
    workers = sorted(pid for pid, parent in family.items() if parent == 1)
    pss = descriptors = 0
    cpu_ticks = 0
    own: dict[int, int] = {}
    for pid in family:
        try:
            memory = _kibibytes(PROC / str(pid) / "smaps_rollup")
            pss += 1024 * memory["Pss"]
            own[pid] = 1024 * (memory["Private_Clean"] + memory["Private_Dirty"])
            descriptors += _descriptors(PROC / str(pid) / "fd")
            cpu_ticks += sum(map(int, (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[11:13]))
        except (OSError, KeyError):
            continue  # it has just ended, or is not ours to read
    found: dict[str, Any] = {"at": time.time(), "pss_bytes": pss or None, "descriptors": descriptors}
    found["workers"] = workers
    # What ends with a worker, pages that it shares with nobody, of the average one: the kernel does not share the
    # connections out evenly, and only the sum must fit.
    private = [own[pid] for pid in workers if pid in own]
    found["worker_bytes"] = sum(private) // len(private) if private else None
    found["cpu_seconds"] = cpu_ticks / os.sysconf("SC_CLK_TCK")
    return {**found, **_cgroup()}


def _kibibytes(path: Path) -> dict[str, int]:
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0].removesuffix(":"): int(row[1]) for row in rows if row[-1] == "kB"}


def _descriptors(folder: Path) -> int:
    """Since Linux 6.2 the folder's size is their number; before, counting 10,000 of them takes a while."""
    return folder.stat().st_size or len(os.listdir(folder))  # noqa: PTH208 - no object for each of them


def _family() -> dict[int, int]:
    """Process 1 and all below it, each with its parent; not this program, nor what was put beside by `docker exec`."""
    parents: dict[int, int] = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    family, size = {1}, 0
    while len(family) != size:
        size = len(family)
        family |= {pid for pid, parent in parents.items() if parent in family}
    return {pid: parents.get(pid, 0) for pid in family}


def _cgroup() -> dict[str, Any]:
    """Memory of the server's cgroup without the page cache, which the kernel gives back when it is needed."""
    kinds = (
        ("cgroup v2", CGROUP / "memory.current", "memory.stat", "file", "shmem", "memory.events"),
        ("cgroup v1", CGROUP / "memory/memory.usage_in_bytes", "memory.stat", "cache", "shmem", "memory.oom_control"),
    )
    for kind, usage, stat, cache, shared, events in kinds:
        try:
            numbers = _table(usage.parent / stat)
            memory = int(usage.read_text()) - numbers[cache] + numbers.get(shared, 0)
            return {"kind": kind, "cgroup_bytes": memory, "oom_kills": _table(usage.parent / events).get("oom_kill", 0)}
        except (OSError, KeyError, ValueError):
            continue
    return {"kind": None, "cgroup_bytes": None, "oom_kills": None}


def cpu() -> float | None:
    """Microseconds of CPU that the server's container has used since it was created, the kernel's work included."""
    try:
        return _table(CGROUP / "cpu.stat")["usage_usec"]
    except (OSError, KeyError):
        pass
    try:
        return int((CGROUP / "cpuacct/cpuacct.usage").read_text()) / 1000
    except OSError:
        return None


def _table(path: Path) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in path.read_text().splitlines())}


def main(what: str, *words: str) -> None:
    """Run one of the tasks by its name; prints JSON."""
    if what == "machine":
        print(json.dumps(machine()))
    elif what == "wait":
        print(json.dumps(wait(int(words[0]), float(words[1]), *words[2:])))
    elif what == "server":
        print(json.dumps(server(int(words[0]), *words[1:])))
    elif what == "cpu":
        print(json.dumps(cpu()))
    else:
        while True:
            print(json.dumps(sample()), flush=True)
            time.sleep(float(words[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
