"""The pages in Debian's chromium, by `make test-pages`: values on hover and focus, phones, dark mode, axe-core.

Not among the fast tests, whose machines need no browser; where this runs and chromium is missing, it fails.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from generator.pages.parts import Page
from generator.pages.plan import report_page
from generator.pages.write import write_page
from generator.pipeline import plan_profile
from generator.proof.page import proof_page
from generator.proof.request import Request
from generator.tune.page import tune_page
from generator.tune.report import make_report as tune_report
from tests.fast_support import ROOT, plan_of
from tests.proof.test_prove import FINE, WRONG, make_report, rivals
from tests.tune.test_tune import ABOUT, decided

WIDE, PHONE = 1280, 360


def _pages() -> dict[str, Page]:
    profile = ROOT / "profiles/large.yaml"
    field, found = decided()
    own = field.candidates[0].plan
    tuned = json.loads(json.dumps(tune_report(own, field, Request(), found, ABOUT), default=str))
    tuned["machine"] = {"cpus": 2}
    return {
        "report": report_page(plan_profile(profile.read_text(), str(profile), root=ROOT)),
        "proof": proof_page(make_report(FINE, WRONG, rivals()), plan_of()),
        "tune": tune_page(tuned, own),
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    return {name: write_page(page, folder / f"{name}.html") for name, page in _pages().items()}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "chromium is needed: apt-get install chromium"
    # As root, and in containers, chromium has no sandbox; the pages are our own.
    with sync_playwright() as driver, driver.chromium.launch(executable_path=path, args=["--no-sandbox"]) as found:
        yield found


def opened(browser: Browser, path: Path, width: int, scheme: Any = "light") -> tuple[Any, list[str]]:
    """The page, and what it complained of or asked for."""
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.set_default_timeout(60_000)
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith("file:") else wrong.append(request.url))
    page.goto(path.as_uri())
    return page, wrong


@pytest.mark.parametrize("name", ["report", "proof", "tune"])
@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (PHONE, "dark")])
def test_axe_finds_nothing_and_nothing_runs_over(
    browser: Browser, written: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    page, wrong = opened(browser, written[name], width, scheme)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    found = Axe().run(page).response["violations"]
    assert {one["id"]: [node["html"] for node in one["nodes"]] for one in found} == {}
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visible = page.evaluate("[...document.querySelectorAll('svg')].filter(s => s.getClientRects().length).length")
    assert visible == page.locator(".plot").count()
    assert wrong == []
    page.close()


#: Pairs of texts in one chart that cover each other by more than two pixels each way.
OVERLAPS = """() => [...document.querySelectorAll('svg')].flatMap(svg => {
  const shown = t => t.textContent.trim() && t.getAttribute('opacity') !== '0' && t.getClientRects().length;
  const texts = [...svg.querySelectorAll('text')].filter(shown);
  const boxes = texts.map(t => t.getBoundingClientRect());
  return texts.flatMap((one, i) => texts.slice(i + 1).filter((_, k) => {
    const a = boxes[i], b = boxes[i + 1 + k];
    return Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2;
  }).map(other => one.textContent + ' | ' + other.textContent));
})"""
#: Labels of legends that another entry's mark stands on, or nearer to than a space is wide.
CROWDED = """() => [...document.querySelectorAll('svg .role-legend')].flatMap(legend => {
  const marks = [...legend.querySelectorAll('.role-legend-symbol path')].map(m => m.getBoundingClientRect());
  const labels = [...legend.querySelectorAll('.role-legend-label text')];
  return labels.filter(label => {
    const box = label.getBoundingClientRect();
    return marks.some(m => m.left < box.right + 4 && m.right > box.left && m.top < box.bottom && m.bottom > box.top);
  }).map(label => label.textContent);
})"""


@pytest.mark.parametrize("name", ["report", "proof", "tune"])
@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_no_text_of_a_chart_covers_another(browser: Browser, written: dict[str, Path], name: str, width: int) -> None:
    """In a font wider than that which the charts are laid out for."""
    page, _ = opened(browser, written[name], width)
    page.evaluate("for (const t of document.querySelectorAll('svg text')) t.style.fontFamily = 'DejaVu Sans, Verdana'")
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate(CROWDED) == []
    page.close()


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_values_are_shown_on_focus_and_by_keys(browser: Browser, written: dict[str, Path], width: int) -> None:
    page, _ = opened(browser, written["report"], width)
    plot = page.locator(".plot").first
    shown = plot.locator(".value")
    assert shown.inner_text() == ""
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "plot":
            break
    first = shown.inner_text()
    assert first.startswith("resources.memory: ")
    page.keyboard.press("ArrowRight")
    assert shown.inner_text().startswith("resources.cpu: ")
    page.keyboard.press("Home")
    assert shown.inner_text() == first
    page.keyboard.press("End")
    last = shown.inner_text()
    page.keyboard.press("ArrowDown")
    assert shown.inner_text() == last != first
    assert page.locator("svg .on").count() == 1
    page.keyboard.press("Escape")
    assert shown.inner_text() == ""
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    assert page.locator("figure details").first.get_attribute("open") is not None
    page.close()


def test_values_are_shown_on_hover_and_stay_inside_the_chart(browser: Browser, written: dict[str, Path]) -> None:
    page, _ = opened(browser, written["proof"], WIDE)
    for index in range(page.locator(".plot").count()):
        plot = page.locator(".plot").nth(index)
        marks = plot.locator(".wide svg [aria-label]")
        for mark in (marks.first, marks.last):
            plot.scroll_into_view_if_needed()
            box = mark.bounding_box()
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            value, frame = plot.locator(".value"), plot.bounding_box()
            assert value.inner_text() in marks.evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
            shown = value.bounding_box()
            assert shown["x"] >= frame["x"] - 1 and shown["x"] + shown["width"] <= frame["x"] + frame["width"] + 1
        page.mouse.move(1, 1)
        assert plot.locator(".value").inner_text() == ""
    page.close()


def test_dark_and_light_differ_in_every_colour_of_the_charts(browser: Browser, written: dict[str, Path]) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        page, _ = opened(browser, written["proof"], WIDE, scheme)
        script = "names => names.map(name => getComputedStyle(document.documentElement).getPropertyValue(name))"
        names = ["--back", "--text", "--muted", "--grid", *(f"--c{number}" for number in range(6))]
        seen[scheme] = page.evaluate(script, names)
        back = page.evaluate("getComputedStyle(document.body).backgroundColor")
        stroke = page.locator(".wide svg path[stroke^='var(']").first.evaluate("one => getComputedStyle(one).stroke")
        seen[scheme] += [back, stroke]
        page.close()
    assert all(light != dark for light, dark in zip(seen["light"], seen["dark"], strict=True))
