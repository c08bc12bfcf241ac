"""README and docs: short enough, links that lead somewhere, commands that exist, every page found from the README."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from generator.audit.kinds import KINDS
from generator.cli.commands import COMMANDS, commands
from generator.docs.generate import PARTS, renewed
from generator.docs.read import read
from generator.docs.seed import SEED
from generator.errors import FAULT_KINDS, KitError, TargetError
from generator.servers import SERVERS
from generator.servers.meinheld import STOCK_FAULTS
from tests.fast_support import ROOT

PAGES = [ROOT / name for name in ("README.md", "README.zh.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    ROOT.glob("docs/*.md")
)
#: How a command line of the kit may begin, in a shell block or between backticks.
STARTS = ("container-kit ", "python -m generator ", ".venv/bin/python -m generator ")


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings, and those that the page has itself."""
    text = page.read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)"></a>', text))


def command_lines(page: Path) -> list[str]:
    text = page.read_text()
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [line.partition("  #")[0].strip() for line in lines if line.startswith(STARTS)]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 200


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path) if path else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


def test_every_page_and_every_code_can_be_printed() -> None:
    for path in sorted((ROOT / "docs").glob("*.md")):
        assert read(path.stem) == path.read_text(encoding="utf-8")
    sections = {code: read(code.lower()) for code in (*(kind.code for kind in FAULT_KINDS.values()), *KINDS)}
    assert all(text.startswith(f"### {code}") and text.count("\n#") == 0 for code, text in sections.items())
    assert all("\nDo: " in text for text in sections.values())
    for topic in ("../errors", "K999", "nope"):
        with pytest.raises(KitError, match=r"is no page; there are .*, settings, .* for example K006"):
            read(topic)


def test_every_page_is_linked_from_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    assert [page.name for page in PAGES[1:] if f"({page.relative_to(ROOT).as_posix()})" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_exists(page: Path) -> None:
    for line in command_lines(page):
        start = next(start for start in STARTS if line.startswith(start))
        words = [word for word in shlex.split(line.removeprefix(start).partition(" ...")[0]) if word != "|"]
        name = words[0] if words and words[0] in COMMANDS else "generate"
        usage = CliRunner().invoke(commands, [name, "--help"]).stdout
        for option in (word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)):
            assert option in ("--help", "-h", "--version") or f" {option} " in usage.replace(",", " "), line


def test_the_readme_shows_how_to_begin() -> None:
    assert len(command_lines(ROOT / "README.md")) >= 3


def test_every_part_is_used_once_and_a_part_that_nobody_makes_is_refused() -> None:
    pages = [page for page in PAGES if page.name != "README.zh.md"]  # which has some of README.md's again
    used = [name for page in pages for name in re.findall(r"<!-- generated: (\w+) -->", page.read_text())]
    assert sorted(used) == sorted(PARTS)
    with pytest.raises(TargetError, match=r"x\.md: no part is called nope"):
        renewed("x.md", "<!-- generated: nope -->\n<!-- end -->", ROOT)


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(commands, ["docs", "--output", str(tmp_path)])
    assert result.exit_code == 2
    assert "docs is for a checkout of the kit" in result.stderr


def test_a_part_that_is_out_of_date_is_drift(tmp_path: Path) -> None:
    for path in (
        "README.md",
        "README.zh.md",
        "profiles/schema.json",
        "profiles/large.yaml",
        "docker/large/gunicorn.conf.py",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text((ROOT / path).read_text())
    (tmp_path / "docs").mkdir()
    for page in ROOT.glob("docs/*.md"):
        (tmp_path / "docs" / page.name).write_text(page.read_text().replace("| `gevent` |", "| `gevnet` |"))
    check = ["docs", "--check", "--output", str(tmp_path)]
    drift = CliRunner().invoke(commands, check)
    assert (drift.exit_code, "+| `gevent` |" in drift.stdout) == (1, True)
    assert CliRunner().invoke(commands, ["docs", "--output", str(tmp_path)]).exit_code == 0
    assert (CliRunner().invoke(commands, check).exit_code, CliRunner().invoke(commands, check).stdout) == (0, "")


def skeleton(page: Path) -> list[str]:
    """A page's first screen, up to its first section: what is no prose, and comments of commands cut."""
    text = page.read_text(encoding="utf-8").partition("\n## ")[0]
    blocks = re.findall(
        r"```(?:sh|yaml|python)\n.*?```|<!-- \w+.*?-->|^# |^\| .*$|\]\(docs/[^)]+\)", text, re.DOTALL | re.M
    )
    return [re.sub(r"  +#.*$", "", one, flags=re.M) if one.startswith("```sh") else one for one in blocks]


def test_the_first_screens_are_equal_in_structure_and_commands() -> None:
    english, chinese = skeleton(ROOT / "README.md"), skeleton(ROOT / "README.zh.md")
    assert len(english) >= 10
    assert chinese == english
    paragraphs = [
        len((ROOT / name).read_text(encoding="utf-8").partition("\n## ")[0].split("\n\n"))
        for name in ("README.md", "README.zh.md")
    ]
    assert paragraphs[0] == paragraphs[1]


def test_what_reasons_say_of_the_copied_and_stock_servers_stands_in_the_measurements() -> None:
    table = (ROOT / "docs/measurements.md").read_text(encoding="utf-8").partition("<!-- measured: gunicorn -->")[2]
    first = table[table.index("\n| ") :].lstrip().partition("\n\n")[0]
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in first.splitlines()}
    said = {
        "gunicorn -k gevent, 2 workers": SERVERS["gevent"].worker_class_why,
        "tiangolo: stock meinheld worker, 2 workers": STOCK_FAULTS,
        "the copied configuration, gevent": next(one.truth for one in SEED if one.text == 'worker_class = "gevent"'),
    }
    for row, text in said.items():
        (count,) = re.findall(r"\b\d,\d{3}\b", text)
        assert rows[row].split(" | ")[1].startswith(count), text
