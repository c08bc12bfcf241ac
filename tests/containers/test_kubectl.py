"""kubectl itself reads the manifests: `kubectl kustomize`, which needs no cluster, over copies in a folder."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.containers.command import EngineError
from tests.containers.support import host

MANIFESTS = sorted((host.REPOSITORY / "k8s").glob("**/*.yaml"))


@pytest.fixture(scope="module")
def kubectl() -> str:
    """The kubectl that is found, or Debian's (1.20 in Debian 12, 1.32 in 13: kustomize reads these files in both)."""
    if (found := host.find_program("kubectl")) is None:
        if not (host.is_debian() and host.is_root()):
            raise EngineError("kubectl is needed: install your system's package of it (Debian: kubernetes-client)")
        host.install(["kubernetes-client"])
        found = host.find_program("kubectl")
    assert found is not None
    return found


def kustomize(kubectl: str, folder: Path, files: list[Path]) -> subprocess.CompletedProcess[str]:
    names = [f"{number}-{path.name}" for number, path in enumerate(files)]
    for name, path in zip(names, files, strict=True):
        shutil.copy(path, folder / name)
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"resources": names}))
    return subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, timeout=60, check=False)


def by_identity(documents: Any) -> dict[tuple[str, str], Any]:
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def test_kustomize_gives_back_every_object(kubectl: str, tmp_path: Path) -> None:
    done = kustomize(kubectl, tmp_path, MANIFESTS)
    assert done.returncode == 0, done.stderr
    given = [document for path in MANIFESTS for document in yaml.safe_load_all(path.read_text())]
    assert len(given) >= 6 * len(MANIFESTS)
    assert by_identity(yaml.safe_load_all(done.stdout)) == by_identity(given)


def test_kustomize_refuses_one_object_twice(kubectl: str, tmp_path: Path) -> None:
    done = kustomize(kubectl, tmp_path, [MANIFESTS[0], MANIFESTS[0]])
    assert done.returncode != 0


def test_nothing_in_k8s_is_anything_but_objects() -> None:
    """So that `kubectl apply -f k8s/` works: a kustomization there would be refused."""
    assert all(path.suffix == ".yaml" for path in (host.REPOSITORY / "k8s").rglob("*") if path.is_file())
    assert all("apiVersion" in d for path in MANIFESTS for d in yaml.safe_load_all(path.read_text()))
