"""How many connections a worker accepts at a time."""

from generator.runtime import accepting


def test_few_while_few_are_held_then_more_up_to_a_limit() -> None:
    assert [accepting.batch(held) for held in (0, 7, 8, 80)] == [1, 1, 2, 11]
    assert accepting.batch(504) == accepting.batch(10_000) == accepting.MOST
