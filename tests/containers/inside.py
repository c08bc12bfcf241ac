"""What must hold inside a profile's container, in one of Docker as in a pod: ``inside`` is testinfra there."""

from __future__ import annotations

from typing import Any

from generator.plan.plan import Plan
from tests.containers import kit

RUNTIME = f"/opt/venv/lib/python{kit.PYTHON or kit.DEFAULT_PYTHON}/site-packages/kit_runtime"


def owns_nothing_and_writes_nowhere(inside: Any, user_id: int) -> None:
    assert inside.check_output("id -u") == str(user_id)
    folders = ["/", "/app", "/etc/kit", "/opt/venv", "/tmp", "/dev/shm", "/var/tmp", "/run"]
    writable = f"import os; print([folder for folder in {folders} if os.access(folder, os.W_OK)])"
    assert inside.check_output("python -c %s", writable) == "['/tmp', '/dev/shm']"


def files_and_modes(inside: Any) -> None:
    configuration = inside.file("/etc/kit").listdir()
    for path in [f"/etc/kit/{name}" for name in configuration] + ["/app/flask_server.py", f"{RUNTIME}/boot.py"]:
        file = inside.file(path)
        assert (file.user, file.mode) == ("root", 0o644), path
    assert inside.file("/app/__pycache__").is_directory, "bytecode is compiled when the image is built"
    assert inside.file(f"{RUNTIME}/__pycache__").is_directory
    assert not inside.file("/opt/venv/bin/pip").exists
    assert inside.run("/opt/venv/bin/python -m pip --version").rc != 0


def has_descriptors(inside: Any, plan: Plan) -> None:
    limits = inside.check_output("cat /proc/1/limits")
    soft = next(line for line in limits.splitlines() if line.startswith("Max open files")).split()[3]
    assert int(soft) >= plan.numbers.descriptors.value
