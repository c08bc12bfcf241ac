"""How many connections a worker accepts at a time."""

#: Stock takes 1 where there are several workers, and of 10,000 clients half wait for ever.
MOST = 64


def batch(held: int) -> int:
    """Few while it holds few: with 64 at once, one of two workers often got all of 50 clients, half the throughput."""
    return min(MOST, 1 + held // 8)
