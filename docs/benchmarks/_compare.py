"""Say what got slower between two runs, on machines that other work shares.

A machine that is disturbed, or another machine, changes all times. So a time of ours is compared
with what else was measured beside it in both runs, its yardsticks: the times of the peers in the
same case, and the rates of the machine (memory, gemm). The change of a time is how often the
earlier one fits in the new one, divided by the median change of its yardsticks.

Yardsticks that disagree tell of noise. What is told exceeds the threshold, 1.3, and the spread
of the yardsticks too: how often their lower quartile fits in the upper one.
"""

import math

import numpy as np

THRESHOLD = 1.3


def times(case):
    """Return the times of a case by contestant and column, not measured ones as None."""
    columns = {name for row in case["rows"] for name in row if name.endswith(("(ms)", "(s)"))}
    return {
        (row["name"], column): None if isinstance(row[column], str) else row[column]
        for row in case["rows"]
        for column in sorted(columns & row.keys())
    }


def is_ours(name):
    """Whether a contestant is of this package, and no search over it."""
    return name.removeprefix("Dask").startswith("GDLinearRegression")


def machine_changes(old, new):
    """Return how much slower the machine was: one number a rate."""
    shared = old["rates"].keys() & new["rates"].keys()
    return [old["rates"][name] / new["rates"][name] for name in shared]


def case_changes(old, new, of_machine, threshold):
    """Yield (verdict, contestant, column, change) of our times in one case."""
    before, after = times(old), times(new)
    both = [key for key in before.keys() & after.keys() if before[key] and after[key]]
    peers = [after[key] / before[key] for key in both if not is_ours(key[0])]
    low, middle, high = np.quantile([*peers, *of_machine] or [1.0], (0.25, 0.5, 0.75))
    limit = max(threshold, high / low)
    for key in filter(lambda key: is_ours(key[0]), dict.fromkeys([*before, *after])):
        if key in both:
            change = after[key] / before[key] / middle
            verdict = "slower" if change > limit else "faster"
            yield verdict if not 1 / limit <= change <= limit else "same", *key, change
        elif key not in after:
            yield "missing", *key, None
        elif key not in before:
            yield "new", *key, None
        elif before[key]:  # a target that is not reached any more
            yield "slower", *key, math.inf
        elif after[key]:
            yield "faster", *key, 0.0


def compare(earlier, now, threshold=THRESHOLD):
    """Compare two runs.

    Parameters
    ----------
    earlier, now : dict
        Records by benchmark. Benchmarks that are not in both are passed over.
    threshold : float, default=1.3
        The least change that is told.

    Returns
    -------
    list of tuple
        (verdict, benchmark, case, contestant, column, change): the verdict is "slower",
        "faster", "same", "missing" or "new", the change None for the last two. Cases whose
        sizes differ are missing and new.
    """
    found = []
    for benchmark in now.keys() & earlier.keys():
        old, new = earlier[benchmark], now[benchmark]
        of_machine = machine_changes(old, new)
        cases = [
            {f"{name}: {case['title']}": case for name, case in record["cases"].items()}
            for record in (old, new)
        ]
        for name in dict.fromkeys([*cases[0], *cases[1]]):
            pair = (case.get(name, {"rows": []}) for case in cases)
            changes = case_changes(*pair, of_machine, threshold)
            found += [(verdict, benchmark, name, *rest) for verdict, *rest in changes]
    return sorted(found, key=lambda row: (row[1:3], -(row[5] or 0)))


def report(found):
    """Return what `compare` found, in words."""
    lines = []
    for wanted in ("slower", "faster", "missing", "new"):
        for verdict, benchmark, case, contestant, column, change in found:
            if verdict == wanted:
                factor = "" if change is None else f", {change:.2f} times as long"
                lines.append(f"{verdict}: {benchmark}, {case}, {contestant}, {column}{factor}")
    same = sum(verdict == "same" for verdict, *_ in found)
    return "\n".join([*lines, f"{same} of {len(found)} times are as they were."])
