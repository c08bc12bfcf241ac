"""checkov's policies for every generated manifest, without network: `make policy`, which installs it, runs this.

Four runs: the shipped profiles, less what they cannot have; a profile that has it, with nothing left out; its jobs,
which serve nothing, less the probes; and its manifest made worse, which must be refused, since a scanner that finds
nothing anywhere proves nothing.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from generator.pipeline import plan_profile
from generator.render.render import render

ROOT = Path(__file__).resolve().parent.parent
CHECKOV = ROOT / "build" / "policy" / "bin" / "checkov"
#: An image's digest, a pull from a registry, a namespace: only the profile of the second run has them.
SKIPPED = ("CKV_K8S_43", "CKV_K8S_15", "CKV_K8S_21")
#: Liveness and readiness probes: a job serves nothing that could be asked for, and no Service asks whether it is ready.
OF_JOBS = ("CKV_K8S_8", "CKV_K8S_9")
JOB = "    app.kubernetes.io/component: job\n"
SIGNED = ROOT / "tests" / "profiles" / "signed.yaml"


def check(folder: Path, *skipped: str) -> subprocess.CompletedProcess[str]:
    options = ["--framework", "kubernetes", "--skip-download", "--compact", "--quiet"]
    options += ["--skip-check", ",".join(skipped)] if skipped else []
    return subprocess.run([CHECKOV, "--directory", folder, *options], capture_output=True, text=True, check=False)


def main() -> int:
    if not CHECKOV.exists():
        print("checkov is not installed: run it by `make policy`", file=sys.stderr)
        return 1
    plan = plan_profile(SIGNED.read_text(encoding="utf-8"), str(SIGNED))
    text = render(plan)[plan.manifest]
    failed = False
    with tempfile.TemporaryDirectory(prefix="kit-policy-") as name:
        worse, signed, jobs = (Path(name) / folder for folder in ("worse", "signed", "jobs"))
        documents = text.split("---\n")
        for folder, manifest in (
            (signed, "---\n".join(each for each in documents if JOB not in each)),
            (jobs, "---\n".join(each for each in documents if JOB in each)),
            (worse, text.replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false")),
        ):
            folder.mkdir()
            (folder / "manifest.yaml").write_text(manifest, encoding="utf-8")
        runs: tuple[tuple[str, Path, tuple[str, ...], bool], ...] = (
            ("shipped profiles", ROOT / "k8s", SKIPPED, True),
            ("with digest and namespace, nothing skipped", signed, (), True),
            ("jobs, without probes", jobs, OF_JOBS, True),
            ("made worse", worse, (), False),
        )
        with ThreadPoolExecutor(2) as threads:
            ended = list(threads.map(lambda run: check(run[1], *run[2]), runs))
        for (title, _, _, good), done in zip(runs, ended, strict=True):
            # Without output checkov found no manifest at all.
            as_expected = (done.returncode == 0) is good and "Passed checks" in done.stdout
            failed = failed or not as_expected
            print(f"policy: {title}: {'good' if as_expected else 'NOT AS IT SHOULD BE'}")
            counts = [line for line in done.stdout.splitlines() if line.startswith("Passed checks")]
            print(*(counts if as_expected else [done.stdout, done.stderr]), sep="\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
