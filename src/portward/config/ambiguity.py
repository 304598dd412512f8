"""Whether a line can be read in two ways that blame different addresses; if so, an example of such a line.

    doubtful_line([parse_template("login of {name} failed from {address}, agent {text}")])
    # 'login of  failed from ::, agent  failed from ::, agent ' (or one like it)

Whoever may write into a line whatever he likes before and after the address could put somebody else's there. Two
readings of one line are followed side by side through the automaton of all descriptions of a pattern together; where
one may be inside the address and the other not, and both come to an end, there is such a line. Where none is found,
there is none, whatever an attacker writes: the search is exhaustive.
"""

from collections import deque
from collections.abc import Sequence

from portward.config.grammar import Alt, Automaton, automaton, characters
from portward.config.templates import Template

_MOST_PAIRS = 3_000_000
_Pair = tuple[int, int, bool]
"""The positions of both readings, and whether they already differ in where the address is."""


class TooLarge(ValueError):
    """There are too many readings to follow them all."""


def doubtful_line(templates: Sequence[Template]) -> str | None:
    """A shortest line with two readings, or None. Raises `TooLarge`."""
    if not templates:
        return None
    made = automaton(Alt(tuple(template.grammar for template in templates)))
    came_from: dict[_Pair, _Pair | None] = {}
    waiting: deque[_Pair] = deque()
    for pair in _pairs(made, made.first, made.first, differ=False):
        came_from.setdefault(pair, None)
        waiting.append(pair)
    while waiting:
        pair = waiting.popleft()
        one, other, differ = pair
        if differ and one in made.last and other in made.last:
            return _spell(made, pair, came_from)
        for following in _pairs(made, made.follows[one], made.follows[other], differ=differ):
            if following not in came_from:
                came_from[following] = pair
                waiting.append(following)
        if len(came_from) > _MOST_PAIRS:
            raise TooLarge
    return None


def _pairs(made: Automaton, ones: set[int], others: set[int], *, differ: bool) -> list[_Pair]:
    """Where both readings may be after one more character, each unordered pair once."""
    return [
        (min(one, other), max(one, other), differ or _blames_otherwise(made, one, other))
        for one in ones
        for other in others
        if made.takes[one] & made.takes[other]
    ]


def _blames_otherwise(made: Automaton, one: int, other: int) -> bool:
    return (made.marks[one] == "address") != (made.marks[other] == "address")


def _spell(made: Automaton, pair: _Pair | None, came_from: dict[_Pair, _Pair | None]) -> str:
    text: list[str] = []
    while pair is not None:
        text.append(next(characters(made.takes[pair[0]] & made.takes[pair[1]])))
        pair = came_from[pair]
    return "".join(reversed(text))
