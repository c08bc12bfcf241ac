#!/opt/venv/bin/python
"""PID 1 of the virtual machine: starts the image's server in cgroups of version 2, and prints what became of it.

One line a scenario: RESULT and a JSON object. /scenarios.json holds the image's command, environment and folder, and
the scenarios: the groups to make, one within the other, with what is written to their files, and what to do then.
"""

import ctypes
import fcntl
import http.client
import json
import os
import resource
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Record = dict[str, Any]

LIBC = ctypes.CDLL(None, use_errno=True)
CGROUP = Path("/sys/fs/cgroup")
USER = 10001
MS_REC, MS_PRIVATE = 0x4000, 0x40000
NEW_CGROUP, NEW_MOUNTS, NEW_PIDS = 0x02000000, 0x00020000, 0x20000000
RESTART = 0x1234567
#: Seconds; without KVM everything takes ten times as long.
PATIENCE = 120


def mount(kind: str, where: str) -> None:
    Path(where).mkdir(parents=True, exist_ok=True)
    if LIBC.mount(kind.encode(), where.encode(), kind.encode(), 0, None):
        raise OSError(ctypes.get_errno(), f"mount {kind} on {where}")


def set_up() -> None:
    for kind, where in (("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")):
        mount(kind, where)
    for where in ("/tmp", "/dev/shm", "/run"):
        mount("tmpfs", where)
        Path(where).chmod(0o1777)
    mount("cgroup2", str(CGROUP))
    (CGROUP / "cgroup.subtree_control").write_text("+cpu +memory +cpuset +pids")
    Path("/dev/fd").symlink_to("/proc/self/fd")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:  # the loopback interface, up and running
        fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
    resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))


class Server:
    """The image's command in the innermost group, with namespaces as a container has them."""

    def __init__(self, name: str, groups: list[dict[str, str]], image: Record, environment: dict[str, str]) -> None:
        self.group = CGROUP
        for index, files in enumerate(groups):
            if index:
                (self.group / "cgroup.subtree_control").write_text("+cpu +memory +cpuset")
            self.group = self.group / f"{name}-{index}"
            self.group.mkdir()
            for file, text in files.items():
                (self.group / file).write_text(text)
        self.log = Path(f"/run/{name}.log")
        self.environment = {**image["environment"], **environment}
        self.image = image
        reading, writing = os.pipe()
        self.outer = os.fork()
        if self.outer == 0:
            try:
                self._become_container(writing)
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        os.close(writing)
        self.pid = int(os.read(reading, 20))
        os.close(reading)

    def _become_container(self, writing: int) -> None:
        (self.group / "cgroup.procs").write_text("0")
        if LIBC.unshare(NEW_CGROUP | NEW_MOUNTS | NEW_PIDS):
            raise OSError(ctypes.get_errno(), "unshare")
        LIBC.mount(None, b"/", None, MS_REC | MS_PRIVATE, None)
        child = os.fork()
        if child:
            os.write(writing, str(child).encode())
            _, status = os.waitpid(child, 0)
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
        mount("proc", "/proc")
        LIBC.umount2(str(CGROUP).encode(), 2)
        mount("cgroup2", str(CGROUP))  # of this namespace: the group is its root
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(self.image["folder"])
        os.setgroups([])
        os.setgid(USER)
        os.setuid(USER)
        os.execve(self.image["command"][0], self.image["command"], self.environment)

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait(self, condition: Callable[[], T], what: str) -> T:
        end = time.monotonic() + PATIENCE
        while not (value := condition()):
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: {self.text()[-3000:]}")
            time.sleep(0.2)
        return value

    def status(self, path: str) -> int | None:
        connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=60)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def workers(self) -> list[int]:
        found = []
        for each in Path("/proc").iterdir():
            try:
                if each.name.isdigit() and (each / "stat").read_text().rpartition(")")[2].split()[1] == str(self.pid):
                    found.append(int(each.name))
            except OSError:
                continue
        return sorted(found)

    def report(self) -> Record:
        lines = self.wait(lambda: [x for x in self.text().splitlines() if '"event": "boot"' in x], "the boot report")
        report: Record = json.loads(lines[0])
        return report

    def stop(self) -> int:
        os.kill(self.pid, signal.SIGTERM)
        return os.waitstatus_to_exitcode(os.waitpid(self.outer, 0)[1])


def run(scenario: Record, image: Record) -> Record:
    server = Server(scenario["name"], scenario["groups"], image, scenario.get("environment", {}))
    report = server.report()
    server.wait(lambda: server.status("/") == 200, "the first response")
    before = server.wait(lambda: (w := server.workers()) and len(w) == report["numbers"]["workers"]["value"] and w, "w")
    result = {"numbers": report["numbers"], "before": before}
    if seconds := scenario.get("freeze"):
        (server.group / "cgroup.freeze").write_text("1")
        time.sleep(seconds)
        (server.group / "cgroup.freeze").write_text("0")
        time.sleep(seconds)  # the master looks at its workers once a second; a killed one would be gone by now
    if path := scenario.get("kill"):
        server.status(path)
        server.wait(lambda: (w := server.workers()) and w != before and len(w) == len(before), "a new worker")
    server.wait(lambda: server.status("/") == 200, "a response at the end")
    events = dict(line.split() for line in (server.group / "memory.events").read_text().splitlines())
    result |= {"after": server.workers(), "oom_kills": int(events["oom_kill"]), "exit_code": server.stop()}
    return result | {"log": server.text()[-4000:]}


def main() -> None:
    set_up()
    given = json.loads(Path("/scenarios.json").read_text())
    for scenario in given["scenarios"]:
        try:
            found = run(scenario, given["image"])
        except Exception:
            found = {"error": traceback.format_exc()}
        print("RESULT", json.dumps({"name": scenario["name"], **found}), flush=True)


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    LIBC.sync()
    LIBC.reboot(RESTART)  # qemu's -no-reboot makes an end of it
