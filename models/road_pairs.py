"""Neighbouring loops along a road: which one follows which, and how far on."""

from collections import Counter
from collections.abc import Collection, Iterable

from domain.sensors import Link

METRES_MAX = 4_828.0  # 3 miles: further apart, one loop says nothing of the other (PeMS)


def road_pairs(links: Iterable[Link], loops: Collection[str]) -> list[tuple[str, str, float]]:
    """``(upstream, downstream, metres)`` of loops with no other loop between them; sorted, each pair once.

    Links may lead through nodes that are no loops. Where a road forks or joins between two loops, what one of them
    counts
    need not come by the other: such loops are no pair.
    """
    ahead: dict[str, list[Link]] = {}
    for link in links:
        ahead.setdefault(link.source, []).append(link)
    found: dict[tuple[str, str], float] = {}
    for loop in loops:
        met = {loop: 0.0}
        waiting = [loop]
        while waiting:
            at = waiting.pop()
            for link in ahead.get(at, ()):
                metres = met[at] + link.metres
                if metres > METRES_MAX or metres >= met.get(link.target, float("inf")):
                    continue
                met[link.target] = metres
                if link.target in loops:
                    found[loop, link.target] = metres
                else:
                    waiting.append(link.target)
    followers, leaders = (Counter(pair[end] for pair in found) for end in (0, 1))
    return [
        (up, down, metres) for (up, down), metres in sorted(found.items()) if followers[up] == 1 and leaders[down] == 1
    ]
