"""The committed output is what the shipped profiles give, wherever, however and by whomever it is generated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_cli import root as root
from tests.cli.test_cli import run, tree
from tests.fast_support import MINIMAL, ROOT, SHIPPED


def test_the_shipped_profiles_are_up_to_date() -> None:
    result = run(ROOT, *map(str, SHIPPED), "--check")
    assert result.exit_code == 0, result.output


def test_output_depends_on_nothing_but_the_profile(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    other = tmp_path_factory.mktemp("other")
    (other / "docker/app").mkdir(parents=True)
    (other / "docker/app/requirements.txt").write_text("another\n")
    values = '{B: "ü ☃", A: x, C: "\\u2028"}'
    (root / "uni.yaml").write_text(MINIMAL.replace("web", "uni") + f"env: {values}\n", encoding="utf-8")
    profiles = [*map(str, SHIPPED), str(root / "uni.yaml")]
    base = [sys.executable, "-m", "generator"]
    ascii_only = {
        "PYTHONHASHSEED": "2",
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "PYTHONPATH": str(ROOT),
    }
    runs = [
        ([*base, *profiles, "--output", str(root)], ROOT, {"PYTHONHASHSEED": "1"}),
        ([*base, *reversed(profiles)], other, ascii_only | {"WEB_CONCURRENCY": "7", "TZ": "Asia/Tokyo"}),
    ]
    for arguments, folder, more in runs:
        subprocess.run(arguments, cwd=folder, env=env | more, check=True, stdout=subprocess.DEVNULL)
    first, second = (
        {
            path: text
            for path, text in tree(place).items()
            if path.startswith(("docker/", "k8s/")) and "/app/" not in path
        }
        for place in (root, other)
    )
    assert len(first) > 4 * len(SHIPPED)
    assert first == second
    (other / "docker/uni/gunicorn.conf.py").write_text("hand = 'ü ☃'\n", encoding="utf-8")
    env |= ascii_only | {"PYTHONIOENCODING": "latin-1"}
    check = subprocess.run([*base, profiles[-1], "--check"], cwd=other, env=env, check=False, capture_output=True)
    assert (check.returncode, check.stderr.count(b"\n")) == (1, 1), check.stderr
    assert b"-hand = '\xfc \\u2603'" in check.stdout
