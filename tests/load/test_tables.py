from generator.pages.parts import Page
from generator.pages.write import html
from tests.load import page, tables
from tests.load.others import FILES
from tests.load.works import CPU, RATE, Figures


def test_a_table_is_followed_by_the_rows_that_we_lose() -> None:
    found: dict[str, list[Figures]] = {
        "this kit, gevent": [{RATE: 100.0, CPU: 50.0}, {RATE: 50.0, CPU: 60.0}, {RATE: 100.0, CPU: 50.0}],
        "faster": [{RATE: 200.0, CPU: 25.0}, {RATE: 100.0, CPU: 30.0}, {RATE: 50.0, CPU: 25.0}],
        "slower": [{RATE: 50.0, CPU: 100.0}, {RATE: 40.0, CPU: 100.0}, {RATE: 50.0, CPU: 100.0}],
        "did not boot": [{"did not boot": 1.0}] * 3,
    }
    (text,) = tables.compared(found)
    assert "0.50 of faster (2.00 of its CPU a request)" in text
    assert "2.00 of slower (0.50 of its CPU a request)" in text
    assert text.endswith("Loses to: faster.")


def test_what_is_not_known_is_an_empty_cell() -> None:
    lines = list(tables.table("title", {"one": [{RATE: 1.0}, {RATE: 3.0}, {RATE: 2.0}], "other": [{CPU: None}]}))
    assert lines[-2:] == ["| one | 2 (1 to 3) |  |", "| other |  |  |"]


def test_the_page_has_the_same_figures_as_charts() -> None:
    found: dict[str, list[Figures]] = {
        "this kit, gevent": [{RATE: 100.0, CPU: None}, {RATE: 50.0, CPU: 5.0}, {RATE: 80.0, CPU: 6.0}],
        "other": [{RATE: 200.0, CPU: None}] * 3,
    }
    shown = page.section("GET /", found, ["\nloses"])
    (chart,) = shown.charts  # of CPU only one has a figure
    assert list(chart.table.rows) == [("this kit, gevent", "80", "50", "100"), ("other", "200", "200", "200")]
    (table,) = shown.folded.values()
    assert table.rows[0] == ("this kit, gevent", "80 (50 to 100)", "6 (5 to 6)")
    assert "this kit, gevent: 80 requests/s, 50 to 100 in 3" in html(Page("bench", "bench", [], [shown]))


def test_the_other_servers_are_pinned_as_required() -> None:
    required = [line.split("#")[0].strip() for line in (FILES / "requirements.in").read_text().splitlines()]
    pinned = (FILES / "requirements.txt").read_text().splitlines()
    assert {line for line in required if line} <= set(pinned)
    assert all("==" in line for line in pinned)
