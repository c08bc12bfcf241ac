"""kube-score finds nothing in a generated manifest but what docs/kubernetes.md gives a reason for."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.cluster.node.build import BIN
from tests.containers.kit import ROOT

MANIFESTS = sorted(ROOT.glob("k8s/**/*.yaml"))
SECTION = (ROOT / "docs/kubernetes.md").read_text().partition("## What linters say")[2].partition("\n## ")[0]
EXCEPTIONS = re.findall(r"^\| ([a-z]+(?:-[a-z]+)+) \| .+ \|$", SECTION, re.MULTILINE)
#: Below these grades a check has comments: 1 is critical, 5 a warning.
GOOD = 7

pytestmark = pytest.mark.quick


def findings(manifests: Iterable[Path]) -> set[str]:
    """The tests that did not pass, by kube-score's names. It ends with 1 where one of them is critical."""
    command = [str(BIN / "kube-score"), "score", "--output-format", "json", *map(str, manifests)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    checks = [check for each in json.loads(done.stdout) for check in each["checks"]]
    assert len(checks) > 20, "every object is checked"
    return {check["check"]["id"] for check in checks if not check["skipped"] and check["grade"] < GOOD}


def test_nothing_but_the_exceptions_with_a_reason() -> None:
    assert findings(MANIFESTS) == set(EXCEPTIONS)


def test_a_worse_manifest_is_found(tmp_path: Path) -> None:
    worse = tmp_path / "worse.yaml"
    worse.write_text(MANIFESTS[0].read_text().replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"))
    assert "container-security-context-readonlyrootfilesystem" in findings([worse])
