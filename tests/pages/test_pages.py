"""Pages without a browser: whole, self-contained, nothing from a profile or a measurement raw; what a plan shows."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from generator.cli.commands import commands
from generator.pages import draw, measures, write
from generator.pages.parts import Page, Section, Table
from generator.pages.picture import nodes
from generator.pages.plan import plan_sections, report_page
from generator.pages.write import html
from generator.pipeline import plan_profile
from generator.plan.explain import explanation
from tests.fast_support import HOSTILE_STRINGS, MINIMAL, ROOT, SHIPPED, plan_of

MAX_BYTES = 2_000_000
#: Breaks out of whatever takes it raw: elements, attributes, scripts, comments, CSS.
EVIL = "</script></svg></style><img src=x onerror=alert(1)>\"'`--><!--&lt;{{ 7 * 7 }}</title>"


class Reader(HTMLParser):
    """Elements with their attributes, and the text of each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "link", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in self.open[-1:]:
            self.text[tag] = self.text.get(tag, "") + data

    def count(self) -> Counter[str]:
        return Counter(tag for tag, _ in self.elements)


@pytest.fixture(scope="module")
def text() -> str:
    return html(report_page(plan_of()))


def test_a_page_needs_nothing_else(text: str) -> None:
    found = Reader(text)
    assert found.open == [] and len(text.encode()) < MAX_BYTES
    without_names = re.sub(r' xmlns(:xlink)?="http://www\.w3\.org/[^"]*"', "", text)
    assert not re.search(r"(?i)https?://|@import|url\(|//cdn", without_names)
    for tag, attributes in found.elements:
        assert tag not in ("link", "img", "iframe", "object", "base", "form", "image", "use")
        assert not {"src", "srcset", "xlink:href"} & attributes.keys()
        assert not {name for name in attributes if name.startswith("on") or name == "style"}
        assert (attributes.get("href") or "#").startswith("#")
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {attributes["href"] for tag, attributes in found.elements if tag == "a"}
    assert targets == {f"#{one}" for one in ids}


def test_its_policy_allows_its_own_style_and_script_by_their_hashes_and_nothing_else(text: str) -> None:
    found = Reader(text)
    policy = next(a["content"] for tag, a in found.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and "unsafe" not in policy

    def named(of: str) -> str:
        return f"'sha256-{base64.b64encode(sha256(found.text[of].encode()).digest()).decode()}'"

    rules = dict(rule.split(maxsplit=1) for rule in policy.split("; "))
    assert rules == {
        "default-src": "'none'",
        "style-src": named("style"),
        "script-src": named("script"),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert found.count()["script"] == found.count()["style"] == 1


def test_every_chart_has_its_values_in_a_table_and_on_its_marks(text: str) -> None:
    found = Reader(text)
    charts = [chart for section in plan_sections(plan_of()) for chart in section.charts]
    plots = [a for _, a in found.elements if a.get("class") == "plot"]
    assert len(charts) == len(plots) == found.count()["figure"] == 3
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in plots)
    for chart in charts:
        assert chart.table.rows and all(len(row) == len(chart.table.columns) for row in chart.table.rows)
    labels = Counter(a["aria-label"] for tag, a in found.elements if tag == "path" and "aria-label" in a)
    workers = next(node for node in nodes(plan_of()) if node.name == "workers")
    assert labels[workers.text] == 2  # the drawing for a wide page and that for a narrow one
    assert set(labels.values()) == {2} and len(labels) >= sum(len(chart.table.rows) for chart in charts) - 1


WORDS = [EVIL, *(one for one in HOSTILE_STRINGS if one.strip())]


@pytest.mark.parametrize("words", [WORDS[start::8] for start in range(8)], ids=map(str, range(8)))
def test_nothing_that_a_page_is_given_reaches_it_raw(words: list[str]) -> None:
    """What is compared are the elements, and the texts as a browser would read them."""

    def page(given: Sequence[str]) -> Page:
        first = given[0]
        table = Table((first, "b"), [(word, word) for word in given], ["passed"] * len(given))
        charts = [
            measures.courses(first, first, first, first, {word: [(0, 1), (1, 2)] for word in given}, first),
            measures.side_by_side(first, first, {first: dict.fromkeys(given, 1.0)}),
        ]
        section = Section(first, first, table, [one for one in charts if one], {first: table}, list(given))
        return Page(first, first, [first], [section], "passed")

    found = Reader(html(page(words)))
    plain = Reader(html(page([f"plain{number}" for number in range(len(words))])))
    assert found.open == []
    texts = {"text", "tspan"}  # an empty or a long word is set in more or fewer of them
    assert {k: v for k, v in found.count().items() if k not in texts} == {
        k: v for k, v in plain.count().items() if k not in texts
    }
    names = {name for _, attributes in plain.elements for name in attributes}
    assert {name for _, attributes in found.elements for name in attributes} <= names
    assert words[0] in found.text["h1"] and all(word in found.text["th"] for word in words)


def test_what_is_not_utf_8_is_written_all_the_same(tmp_path: Path) -> None:
    word = "caf\udce9"
    chart = measures.courses(word, word, "s", word, {word: [(0, 1)]}, "s")
    path = write.write_page(Page(word, word, [], [Section(word, charts=[chart] if chart else [])]), tmp_path / "x.html")
    assert "caf\\udce9" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("profile", SHIPPED, ids=lambda path: path.stem)
def test_the_plan_of_every_server_is_shown(profile: Path) -> None:
    plan = plan_profile(profile.read_text(), str(profile), root=ROOT)
    found, sections = nodes(plan), plan_sections(plan)
    names = {node.name for node in found}
    assert {"resources.cpu", "resources.memory", "connections", "workers", "descriptors"} <= names
    assert all(set(node.follows) <= names for node in found)
    assert len({(node.step, node.row) for node in found}) == len(found)
    numbers = explanation(plan)["numbers"]
    for node in found:
        if node.name in numbers:
            assert (node.value, node.reason) == (f"{numbers[node.name]['value']:,}", numbers[node.name]["reason"])
    (capability,) = [section.table for section in sections if section.table]
    assert {row[0]: row[-1] for row in capability.rows} == {
        name: cell.verdict for name, cell in plan.server.settings.items()
    }


def test_the_timeouts_follow_one_another_to_scale() -> None:
    plan = plan_of("kubernetes: {pre_stop_seconds: 7}\ngraceful_timeout: 20\ntimeout: 40\n")
    chart = next(chart for section in plan_sections(plan) for chart in section.charts if chart.title == "Timeouts")
    spans = {row[0]: (float(row[2]), float(row[3])) for row in chart.table.rows}
    assert spans["timeout"] == (0, 40)
    assert (spans["preStop"], spans["graceful_timeout"], spans["exit"]) == ((0, 7), (7, 27), (27, 32))
    assert spans["terminationGracePeriodSeconds"] == (0, plan.stop_seconds.value) == (0, 32)
    assert spans["livenessProbe"][1] == plan.probes.restart_after_seconds.value
    ends = {row["name"]: row["end"] for row in chart.draw(draw.FULL)["data"]["values"]}
    assert ends == {name: end for name, (_, end) in spans.items()}


@pytest.mark.parametrize(
    ("histogram", "expected"),
    [
        ([], []),
        ([[7.0, 1]], [(100, 7.0)]),
        ([[1.0, 50], [2.0, 40], [9.0, 10]], [(50, 1.0), (75, 2.0), (90, 2.0), (95, 9.0), (99, 9.0), (100, 9.0)]),
        ([[1.0, 999], [50.0, 1]], [*((p, 1.0) for p in (50, 75, 90, 95, 99, 99.5, 99.9)), (100, 50.0)]),
    ],
)
def test_percentiles_of_a_histogram(histogram: list[list[float]], expected: list[tuple[float, float]]) -> None:
    assert measures.percentiles(histogram) == expected


def run(*arguments: str) -> Any:
    return CliRunner().invoke(commands, ["report", *arguments])


def test_report_writes_the_same_page_each_time(tmp_path: Path) -> None:
    (tmp_path / "docker/app").mkdir(parents=True)
    (tmp_path / "web.yaml").write_text(MINIMAL)
    written = []
    for _ in range(2):
        found = run(str(tmp_path / "web.yaml"), "--output", str(tmp_path))
        path = tmp_path / "build/report/web.html"
        assert (found.exit_code, found.stdout) == (0, f"{path}\n"), found.output
        written.append(path.read_bytes())
    assert written[0] == written[1]


def test_without_the_extra_report_says_what_to_install_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker/app").mkdir(parents=True)
    (tmp_path / "web.yaml").write_text(MINIMAL)
    monkeypatch.setattr(draw, "available", lambda: False)
    found = run(str(tmp_path / "web.yaml"), "--output", str(tmp_path))
    assert (found.exit_code, found.stdout) == (2, "")
    assert "pip install '.[pages]'" in found.stderr
    assert not (tmp_path / "build").exists()


def test_a_mistake_in_a_profile_is_one_line_of_json_on_request(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(MINIMAL.replace("1200", "-1"))
    found = run(str(tmp_path / "web.yaml"), "--output", str(tmp_path), "--json")
    assert found.exit_code == 2
    assert json.loads(found.stdout.splitlines()[0])["setting"] == "connections"
