"""Latencies as a histogram."""

from __future__ import annotations

import math

_STEP = math.log(1.02)


class Histogram:
    """Buckets 2 % wide: small, exact enough, and those of several processes add up."""

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        self.count = 0
        self.total = 0.0
        self.max = 0.0

    def add(self, seconds: float) -> None:
        bucket = math.ceil(math.log(max(seconds, 1e-6) * 1e6) / _STEP)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.count += 1
        self.total += seconds
        self.max = max(self.max, seconds)

    def merge(self, other: Histogram) -> None:
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.count += other.count
        self.total += other.total
        self.max = max(self.max, other.max)

    def percentile(self, percent: float) -> float | None:
        """In milliseconds: the upper edge of the bucket that holds it."""
        seen = 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= self.count * percent / 100:
                return round(min(_upper_ms(bucket), self.max * 1e3), 3)
        return None

    def report(self) -> dict[str, float | None]:
        return {
            "p50": self.percentile(50),
            "p90": self.percentile(90),
            "p99": self.percentile(99),
            "max": round(self.max * 1e3, 3) if self.count else None,
            "mean": round(self.total / self.count * 1e3, 3) if self.count else None,
        }

    def rows(self) -> list[list[float]]:
        return [[round(_upper_ms(bucket), 3), self.buckets[bucket]] for bucket in sorted(self.buckets)]


def _upper_ms(bucket: int) -> float:
    return math.exp(bucket * _STEP) / 1e3
