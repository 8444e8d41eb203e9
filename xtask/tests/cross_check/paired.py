"""Computes what the statistics of pairs must come to, from the definitions in docs/METHODOLOGY.md alone.

    python3 xtask/tests/cross_check/paired.py

writes paired.json beside this file, which the tests of xtask/src/paired/cross_check.rs read. Everything is done in the
plainest way: all exchanges of labels are tried one by one, sides are sorted anew for each, sums and shares are exact
where they can be, and intervals are searched over a grid. Nothing but Python is needed; it takes some minutes.
"""

import json
import math
import random
from fractions import Fraction
from itertools import product
from pathlib import Path
from statistics import NormalDist, median

SLOW_PART = Fraction(35, 100)
QUANTILE = 0.35
SAME = 1e-12
LOOKS = [(Fraction(6, 10), Fraction(16, 100)), (Fraction(8, 10), Fraction(36, 100)), (Fraction(1), Fraction(48, 100))]
EQUIVALENCE_LEVEL = Fraction(5, 100)


# The statistic.

def quantile(values, at):
    """The quantile that R calls type 7."""
    values = sorted(values)
    place = at * (len(values) - 1)
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return values[below] * (1 - (place - below)) + values[above] * (place - below)


def aligned(pairs):
    """Pairs of logarithms, less the quantile of all values of their block of about four pairs."""
    count = len(pairs)
    blocks = max(1, count // 4)
    result = []
    for block in range(blocks):
        members = pairs[count * block // blocks:count * (block + 1) // blocks]
        level = quantile([value for pair in members for value in pair], QUANTILE)
        result += [(base - level, head - level) for base, head in members]
    return result


def trimmed_mean(values, left_out):
    """The mean without the slowest part of the values."""
    kept = len(values) - math.floor(len(values) * left_out)
    return math.fsum(sorted(values)[:kept]) / kept


def statistic(pairs, left_out):
    """The head's mean less the base's, of aligned pairs."""
    return trimmed_mean([head for _, head in pairs], left_out) - trimmed_mean([base for base, _ in pairs], left_out)


def exchanges(pairs, left_out):
    """The statistic under each way of calling the values of each pair base and head; the measured way is the first."""
    choices = [[(base, head), (head, base)] for base, head in aligned(pairs)]
    return [statistic(labelled, left_out) for labelled in product(*choices)]


# The tests.

def swap_test(pairs, left_out=SLOW_PART):
    """The effect, the probabilities of one as slow and as fast, and the standard deviation under exchanges."""
    results = exchanges(pairs, left_out)
    effect = results[0]
    return {
        "effect": effect,
        "slower": sum(result >= effect - SAME for result in results) / len(results),
        "faster": sum(result <= effect + SAME for result in results) / len(results),
        "spread": math.sqrt(math.fsum(result * result for result in results) / len(results)),
    }


def less(pairs, effect):
    """The pairs of a head that takes so much less, as a logarithm."""
    return [(base, head - effect) for base, head in pairs]


def is_rejected(pairs, effect, level):
    """Whether either one-sided test of this effect rejects at half of what the level leaves."""
    test = swap_test(less(pairs, effect))
    return min(test["slower"], test["faster"]) <= (1 - level) / 2


def interval(pairs, level, steps):
    """Where rejection begins, going outwards from the effect, and the outermost effect that is not rejected.

    Of each end: both differ only where the effects that are not rejected have a hole.
    """
    if 0.5 ** len(pairs) > (1 - level) / 2:
        return None
    effect = statistic(aligned(pairs), SLOW_PART)
    reach = max(head - base for base, head in pairs) - min(head - base for base, head in pairs) + 1e-6
    ends = []
    for direction in (-1, 1):
        grid = [effect + direction * reach * step / steps for step in range(steps + 1)]
        rejected = [is_rejected(pairs, at, level) for at in grid]
        assert rejected[-1], "the grid reaches far enough"
        first = rejected.index(True)
        last = steps + 1 - rejected[::-1].index(False)
        ends.append([edge(pairs, level, grid[place - 1], grid[place]) for place in (first, last)])
    return {"low": ends[0], "high": ends[1]}


def edge(pairs, level, inside, outside):
    """Halves the way between an effect that is not rejected and one that is."""
    for _ in range(40):
        middle = (inside + outside) / 2
        if is_rejected(pairs, middle, level):
            outside = middle
        else:
            inside = middle
    return inside


# Many tests.

def holm(probabilities):
    """The least level at which each is rejected, going from the least probability on until one is not."""
    count = len(probabilities)

    def rejects(place, level):
        ordered = sorted(probabilities)
        passed = 0
        while passed < count and ordered[passed] <= level / (count - passed):
            passed += 1
        return passed > 0 and probabilities[place] <= ordered[passed - 1]

    return [least_level(lambda level, place=place: rejects(place, level)) for place in range(count)]


def benjamini_hochberg(probabilities):
    """The least rate at which each is rejected: with all up to the greatest that is below its share of the rate."""
    count = len(probabilities)

    def rejects(place, rate):
        ordered = sorted(probabilities)
        passed = [rank for rank in range(count) if ordered[rank] <= rate * (rank + 1) / count]
        return bool(passed) and probabilities[place] <= ordered[passed[-1]]

    return [least_level(lambda level, place=place: rejects(place, level)) for place in range(count)]


def least_level(rejects):
    """Halves the way to the least level that rejects; 1 if none does."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rejects(middle) else (middle, high)
    return high


def clopper_pearson(events, trials, level):
    """The rates at which as many events, or as few, have half of the probability that the level leaves."""
    miss = (1 - Fraction(level).limit_denominator(1000)) / 2

    def at_least(rate):
        return sum(math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(events, trials + 1))

    def at_most(rate):
        return sum(math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(events + 1))

    def root(is_above):
        low, high = Fraction(0), Fraction(1)
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (low, middle) if is_above(middle) else (middle, high)
        return float(low)

    low = 0.0 if events == 0 else root(lambda rate: at_least(rate) > miss)
    high = 1.0 if events == trials else root(lambda rate: at_most(rate) < miss)
    return [low, high]


# Looks and calls.

def design(count, cells):
    """The looks as pairs and levels; nothing if the last cannot reject."""
    level = min(Fraction(1, 100), Fraction(5, 100) / cells)
    looks, unspent = [], Fraction(0)
    for at, share in LOOKS:
        unspent += share * level
        pairs = math.ceil(at * count)
        if Fraction(1, 2**pairs) <= unspent:
            looks.append((pairs, unspent))
            unspent = Fraction(0)
    return looks if looks and unspent == 0 else None


def is_equivalent(pairs, level, bound):
    """Whether an effect of the bound or more is rejected in either direction."""
    slower = swap_test(less(pairs, -math.log1p(bound)))["slower"]
    faster = swap_test(less(pairs, math.log1p(bound)))["faster"]
    return slower <= level and faster <= level


def change(test, slower, faster, level, margin):
    """A change that is certain and that somebody cares about."""
    if slower <= level and test["effect"] > math.log1p(margin):
        return "regressed"
    if faster <= level and test["effect"] < -math.log1p(margin):
        return "improved"
    return None


def judge(cells, count, margin, equivalence):
    """What is said of each cell of a family, at which of its pairs, and what would have been found."""
    looks = design(count, len(cells))
    all_levels = sum(level for _, level in looks)
    shares = {pairs: EQUIVALENCE_LEVEL * level / all_levels for pairs, level in looks}
    said = [None] * len(cells)
    for place, pairs in enumerate(cells):
        for at, level in looks[:-1]:
            if said[place] is None and at <= len(pairs):
                seen = pairs[:at]
                test = swap_test(seen)
                call = change(test, test["slower"], test["faster"], level, margin)
                if call is None and abs(test["effect"]) <= math.log1p(margin):
                    call = "unchanged" if is_equivalent(seen, shares[at], equivalence) else None
                if call is not None:
                    said[place] = (call, at)
    at_last = [place for place in range(len(cells)) if said[place] is None and len(cells[place]) == count]
    tests = {place: swap_test(cells[place]) for place in at_last}
    others = [1.0] * (len(cells) - len(at_last))
    slower = dict(zip(at_last, holm([tests[place]["slower"] for place in at_last] + others)))
    faster = dict(zip(at_last, holm([tests[place]["faster"] for place in at_last] + others)))
    last_level = looks[-1][1] * len(cells)
    for place, pairs in enumerate(cells):
        if said[place] is None:
            call = None
            if place in tests:
                call = change(tests[place], slower[place], faster[place], last_level, margin)
            if call is None:
                call = "unchanged" if is_equivalent(pairs, shares[count], equivalence) else "inconclusive"
            said[place] = (call, len(pairs))
    return [told(pairs[:at], call, looks[-1], margin, equivalence) for pairs, (call, at) in zip(cells, said)]


def told(pairs, call, last, margin, equivalence):
    """A call with the effect that nine of ten runs find, and if it is inconclusive the pairs that would tell."""
    normal = NormalDist().inv_cdf
    effect = statistic(aligned(pairs), SLOW_PART)
    spread = swap_test(less(pairs, effect))["spread"]
    certain = normal(1 - float(last[1])) + normal(0.9)
    at_last = spread * math.sqrt(len(pairs) / last[0])
    detectable = math.expm1(max(at_last * certain, math.log1p(margin) + at_last * normal(0.9)))
    needed = None
    if call == "inconclusive":
        ends = interval(pairs, 0.95, 24)
        half = (ends["high"][0] - ends["low"][0]) / 2 if ends else spread * normal(0.95)
        factors = []
        if abs(effect) > math.log1p(margin):
            factors.append(spread * certain / abs(effect))
        if math.log1p(equivalence) > abs(effect):
            factors.append(half / (math.log1p(equivalence) - abs(effect)))
        needed = min(10_000, math.ceil(len(pairs) * min(factors, default=math.inf) ** 2)) if factors else 10_000
        needed = max(needed, len(pairs) + 1)
    return {"call": call, "pairs": len(pairs), "detectable": detectable, "needed": needed}


# Inputs.

def measured(numbers, count, ratio=1.0, spread=0.03):
    """Times of a machine that drifts and jumps and that is at times slowed by others."""
    level, times = 0.0, []
    for _ in range(count):
        level += numbers.gauss(0, spread / 5) + (numbers.gauss(0, 3 * spread) if numbers.random() < 0.05 else 0)
        pair = []
        for side in (1.0, ratio):
            tail = numbers.expovariate(1 / (3 * spread)) if numbers.random() < 0.15 else 0.0
            pair.append(round(1e6 * side * math.exp(level + numbers.gauss(0, spread) + tail)))
        times.append(pair)
    return times


def rough(numbers, count):
    """Times of a clock that hardly resolves them, so that many are equal."""
    return [[numbers.randint(20, 25), numbers.randint(20, 26)] for _ in range(count)]


def logs(times):
    return [(math.log(base), math.log(head)) for base, head in times]


def tests(numbers):
    cases = []
    for count in list(range(1, 14)) * 3:
        ratio, spread = numbers.choice([0.9, 0.98, 1, 1.01, 1.05]), numbers.choice([0.005, 0.02, 0.1])
        cases.append((measured(numbers, count, ratio, spread), 0.35))
    cases += [(rough(numbers, count), 0.35) for count in range(2, 14)]
    cases += [(measured(numbers, count, 1.02, 0.05), 0.0) for count in (1, 5, 8, 11, 13)]
    return [
        {"pairs": times, "left_out": left_out} | swap_test(logs(times), SLOW_PART if left_out else Fraction(0))
        for times, left_out in cases
    ]


def sampled(numbers):
    cases = [(count, ratio) for count in (14, 15, 16) for ratio in (1.0, 1.01, 1.02)]
    found = [measured(numbers, count, ratio, 0.02) for count, ratio in cases]
    return [{"pairs": times} | swap_test(logs(times)) for times in found]


def effects(numbers):
    counts = [14, 17, 20, 24, 29, 30, 40, 60, 80, 100, 180]
    found = [measured(numbers, count, numbers.choice([0.9, 1.0, 1.05])) for count in counts]
    return [{"pairs": times, "effect": statistic(aligned(logs(times)), SLOW_PART)} for times in found]


def intervals(numbers):
    cases = [(count, level) for count in (3, 5, 6, 6, 7, 7, 8, 8, 8, 9, 9, 10) for level in (0.95, 0.8)]
    cases += [(11, 0.95), (12, 0.95), (13, 0.95)]
    found = []
    for count, level in cases:
        times = measured(numbers, count, numbers.choice([0.95, 1.0, 1.03]), numbers.choice([0.01, 0.03, 0.1]))
        steps = 400 if count < 10 else 100
        found.append({"pairs": times, "level": level, "interval": interval(logs(times), level, steps)})
    return found


def designs(_):
    found = []
    for count in list(range(1, 31)) + [35, 40, 50, 100]:
        for cells in (1, 2, 5, 6, 10, 20, 40, 100):
            looks = design(count, cells)
            looks = looks and [[pairs, float(level)] for pairs, level in looks]
            found.append({"pairs": count, "cells": cells, "looks": looks})
    return found


def families(numbers):
    found = []
    for count, cells, spread in [(8, 1, 0.02), (9, 4, 0.02), (10, 12, 0.01), (10, 12, 0.02), (10, 20, 0.06),
                                 (11, 20, 0.015), (12, 20, 0.02), (13, 8, 0.03), (13, 40, 0.02)]:
        margin, equivalence = numbers.choice([(0.01, 0.05), (0.01, 0.05), (0.03, 0.06)])
        times = []
        for place in range(cells):
            ratio = numbers.choice([0.9, 0.96, 1, 1, 1, 1.005, 1.02, 1.04, 1.1])
            # Of some cells pairs were lost, or the budget ended them.
            lost = numbers.randint(1, count - 2) if place % 7 == 6 else 0
            times.append(measured(numbers, count - lost, ratio, spread * numbers.uniform(0.3, 1.2)))
        said = judge([logs(pairs) for pairs in times], count, margin, equivalence)
        judged = [{"measured": pairs} | one for pairs, one in zip(times, said)]
        found.append({"pairs": count, "margin": margin, "equivalence": equivalence, "cells": judged})
    return found


def corrections(numbers):
    found = []
    for count in [0, 1, 2, 3, 5, 10, 20, 40]:
        for _ in range(2):
            # Some are equal, and some are so small that they stay significant.
            probabilities = [round(numbers.random() ** numbers.choice([1, 2, 4]), 3) for _ in range(count)]
            found.append({
                "probabilities": probabilities,
                "holm": holm(probabilities),
                "benjamini_hochberg": benjamini_hochberg(probabilities),
            })
    return found


def rates(_):
    cases = [(0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (1, 60), (17, 60), (0, 200), (5, 200), (100, 200), (199, 200)]
    return [
        {"events": events, "trials": trials, "level": level, "interval": clopper_pearson(events, trials, level)}
        for events, trials in cases for level in (0.9, 0.95, 0.98)
    ]


def turns(numbers):
    found = []
    for count in (1, 2, 3, 4, 7, 10, 15):
        executions = [[value * 1000 for value in pair] for pair in measured(numbers, count, 1.03, 0.05)]
        ratio = median(math.log(head) - math.log(base) for base, head in executions)
        level = sum(median(math.log(pair[side]) for pair in executions) for side in (0, 1)) / 2
        found.append({"executions": executions, "ratio": ratio, "level": level})
    return found


def main():
    groups = [tests, sampled, effects, intervals, designs, families, corrections, rates, turns]
    # Each has its own stream, so that cases of one can be added without changing those of the others.
    cases = {group.__name__: group(random.Random(group.__name__)) for group in groups}
    lines = [
        f'"{name}": [\n' + ",\n".join(json.dumps(case, separators=(",", ":")) for case in group) + "\n]"
        for name, group in cases.items()
    ]
    Path(__file__).with_suffix(".json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
