"""Mutations of text by its tokens, for inputs of any format: the result stays nearly right, and so reaches further than noise."""

import re
from collections.abc import Sequence
from random import Random

_TOKEN = re.compile(rb"[\w.@$-]+|\s+|.", re.DOTALL)
_MOST_CHANGES = 4


def mutate(data: bytes, words: Sequence[str], others: Sequence[bytes], random: Random, longest: int) -> bytes:
    """A few tokens of `data` deleted, repeated, exchanged, or replaced by words or by a piece of another input.

    Args:
        data: What is mutated.
        words: What the format is made of.
        others: Further inputs, of which pieces are taken; none is needed.
        random: Decides.
        longest: Bytes of the result at most.
    """
    tokens = _TOKEN.findall(data)
    for _ in range(random.randint(1, _MOST_CHANGES)):
        tokens = _changed(tokens, words, others, random)
    return b"".join(tokens)[:longest]


def _changed(tokens: list[bytes], words: Sequence[str], others: Sequence[bytes], random: Random) -> list[bytes]:
    start, end = sorted(random.randint(0, len(tokens)) for _ in range(2))
    end = min(end, start + random.choice((1, 1, 2, 4, 16)))
    match random.randrange(6):
        case 0:
            return tokens[:start] + tokens[end:]
        case 1:
            return tokens[:end] + tokens[start:end] + tokens[end:]
        case 2:
            to = random.randint(0, len(tokens))
            return tokens[:to] + tokens[start:end] + tokens[to:]
        case 3 if others:
            pieces = _TOKEN.findall(random.choice(others))
            first = random.randint(0, len(pieces))
            return tokens[:start] + pieces[first : first + random.choice((1, 4, 16, 64))] + tokens[end:]
        case 4:
            return [*tokens[:start], random.choice(words).encode("utf-8", "surrogatepass"), *tokens[start:]]
    return [*tokens[:start], random.choice(words).encode("utf-8", "surrogatepass"), *tokens[start + 1 :]]
