"""The date of gunicorn's answers, made once a second."""

from __future__ import annotations

from gunicorn import util

from generator.runtime import gunicorn_response


def test_the_date_is_stocks_and_made_once_for_a_second() -> None:
    for second in (0, 1_700_000_000):
        assert gunicorn_response.http_date(second + 0.9) == util.http_date(second)
    before = gunicorn_response._stock_date.cache_info().misses
    assert gunicorn_response.http_date(1_700_000_000.1) == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert gunicorn_response._stock_date.cache_info().misses == before
    assert gunicorn_response.http_date() != gunicorn_response.http_date(0)
