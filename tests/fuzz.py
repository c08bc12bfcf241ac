"""Random cases for a share of a minute: time bounds them, a least number must be reached, one seed repeats them.

``make test`` gives all parsers together 60 s (KIT_FUZZ_SECONDS); other runs only the least number of each. Its seed is
always the same, so that no change is refused for what it did not touch; ``make fuzz`` takes another in each run
(KIT_FUZZ_SEED=new). It is printed where a test fails: KIT_FUZZ_SEED=<seed> pytest <that test> comes to the same case.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Callable, Iterator, Sequence

SECONDS = float(os.environ.get("KIT_FUZZ_SECONDS", "0"))
#: Of the time, in hundredths, for everything that parses what others wrote.
SHARES = {
    "profile": 20,
    "pywsgi's heads": 20,
    "lean heads": 20,
    "a thread's connection": 15,
    "meinheld": 15,
    "eventlet": 10,
}


def cases(
    parser: str, minimum: int, parts: int = 1, clock: Callable[[], float] = time.process_time
) -> Iterator[random.Random]:
    """A generator for each case, until the parser's share of the time is used up and ``minimum`` cases have run.

    CPU time, since on a busy machine the clock would find less; but for a parser in another process. ``parts`` tests
    divide both.
    """
    seed = os.environ.get("KIT_FUZZ_SEED", "same")
    if seed == "new":
        seed = secrets.token_hex(4)
    seconds = SECONDS * SHARES[parser] / 100 / parts
    print(f"{parser}: KIT_FUZZ_SEED={seed}")
    rng, began, number = random.Random(), clock(), 0
    while number < minimum // parts or clock() - began < seconds:
        rng.seed(f"{seed} {number}")
        yield rng
        number += 1
    print(f"{parser}: {number} cases in {clock() - began:.1f} s")


def mutated(rng: random.Random, data: bytes, tokens: Sequence[bytes], maximum: int = 4) -> bytes:
    """With up to ``maximum`` places replaced by a token, or by any bytes."""
    sent = bytearray(data)
    for _ in range(rng.randint(0, maximum)):
        at = rng.randint(0, len(sent))
        token = rng.choice(tokens) if rng.random() < 0.7 else rng.randbytes(rng.randint(0, 3))
        sent[at : at + rng.randint(0, 3)] = token
    return bytes(sent)
