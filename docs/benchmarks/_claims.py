"""The numbers in prose that come from the tables, and where each comes from.

A claim is a piece of a page with `{}` for each number, and a function of the records for each.
`renewed` writes the numbers of the last run into a page. A claim without `{}` has words instead,
such as "a tenth": it has a range in which its number must be. `broken` says which claims do not
hold any more, so that somebody writes them anew.
"""

import re
from functools import partial

OURS = "GDLinearRegression"
FIT, MEMORY = "fit (ms)", "extra MB"
# How far a number in prose may be from that of the last run: machines are shared.
TOLERANCE = 1.5


def find(records, benchmark, case, name, column=FIT):
    """Return a number of a table."""
    rows = records[benchmark]["cases"][case]["rows"]
    return next(row[column] for row in rows if row["name"] == name)


def number(benchmark, case, name=OURS, column=FIT, per=1.0):
    """Return a function of the records: a number of a table."""
    return lambda records: find(records, benchmark, case, name, column) / per


def ratio(benchmark, case, slow, fast=OURS, column=FIT):
    """Return a function of the records: how many times as long one takes as another.

    It is a claim that one is faster, so it must not be below 1.
    """

    def value(records):
        get = partial(find, records, benchmark, case, column=column)
        return get(slow) / get(fast)

    value.least = 1.0
    return value


def digits(column, pick, sets):
    """Return a function of the records: the least or most digits of some of NIST's sets."""

    def value(records):
        rows = records["accuracy"]["cases"]["NIST"]["rows"]
        return pick(float(row[column]) for row in rows if row["name"].split()[0] in sets)

    value.shown = "{:.1f}".format
    return value


def percent(function):
    """Return the same in percent."""
    return lambda records: 100 * function(records)


def extreme(pick, functions):
    """Return a function of the records: the least or the most of what several return."""
    return lambda records: pick(function(records) for function in functions)


SIX = ("pontius", "wampler1", "wampler2", "wampler3", "wampler4", "wampler5")
LAST = ("noint1", "noint2", "longley")
LR, CHOLESKY, SGD = "LinearRegression", "Ridge(cholesky)", "StandardScaler + SGDRegressor"
AVERAGED, ADAM = f"{SGD}(average=True)", "StandardScaler + MLPRegressor(adam)"
MLP, BATCHES = "StandardScaler + MLPRegressor(sgd)", f"{OURS}(batch_size=32)"
LASSO, CV, INTEL = "ElasticNet(precompute=True)", "GDLinearRegressionCV", f"intelex {LR}"
full, races, tall = partial(ratio, "full_batch"), partial(number, "mini_batch", "tall"), "tall"
LEVEL = ratio("penalties", "cv-wider", "ElasticNetCV(tol=0.0001)", CV)
to_2, to_4 = "to 1e-02 (s)", "to 1e-04 (s)"


def rate(what):
    """Return a function of the records: one of the rates of Dask."""
    return number("dask", "rates", f"Dask{OURS}, {what}", "(ms)")


CLAIMS = {
    "../README.md": [
        ("on tall data in less than a tenth of the time", [full(tall, LR)], (10, 25)),
        ("`LinearRegression` takes less than a millisecond", [number("full_batch", "small", LR)],
         (0, 1)),
    ],
    "index.md": [
        ("about {} times faster than `LinearRegression`", [full(tall, LR)]),
        ("{} times faster than `Ridge(solver=\"cholesky\")`", [full(tall, CHOLESKY)]),
        ("takes {} MB of memory beside X instead of {} MB and {} MB",
         [number("full_batch", tall, name, MEMORY) for name in (OURS, LR, CHOLESKY)]),
        ("it takes about {} times as long, and ends [{} % above",
         [full(tall, SGD), percent(number("full_batch", tall, SGD, "excess"))]),
        ("at least {} digits", [digits(OURS, min, ("filip", *SIX, *LAST))]),
    ],
    "accuracy.md": [
        ("it has {} to {} digits on six of the seven",
         [digits("LinearRegression(tol=1e-12)", pick, SIX) for pick in (min, max)]),
        ("with its defaults has {} to {} digits on the six, and {} on Filip",
         [*(digits(OURS, pick, SIX) for pick in (min, max)), digits(OURS, min, ("filip",))]),
        ("on the other three sets all have {} digits",
         [digits("orthogonal", min, LAST)]),
        ("has less than one correct digit", [digits(LR, max, ("filip", *SIX))], (0, 1)),
        ("and none on Filip", [digits("LinearRegression(tol=1e-12)", max, ("filip",))], (0, 1)),
    ],
    "performance.md": [
        ("is {} and {} times as fast as the fastest other estimator",
         [full("larger-5", CHOLESKY), full("larger-float32", CHOLESKY)]),
        ("takes {} to {} of our time, at an excess of 1e-5",
         [extreme(pick, [number("full_batch", case, INTEL, "times ours")
                         for case in ("tall-10-float32", "tall-float32")])
          for pick in (min, max)]),
        ("ends {} % above the optimum after thirty epochs",
         [percent(number("mini_batch", "text", BATCHES, "excess"))]),
        ("`Lasso` and celer take {} to {} of our time",
         [extreme(pick, [number("penalties", case, name, "times ours")
                         for case in ("lasso-square", "lasso-weak")
                         for name in ("Lasso(tol=1e-8)", "celer")])
          for pick in (min, max)]),
        ("celer takes as long", [number("penalties", "lasso-small", "celer", "times ours")],
         (0.8, 1.25)),
        ("is level with `ElasticNetCV`", [LEVEL], (0.8, 1.25)),
        ("at `tol=1e-7` it takes {} times as long",
         [ratio("penalties", "cv-wider", "ElasticNetCV(tol=1e-07)", CV)]),
        ("{} times faster than skglm on blurred spikes",
         [ratio("penalties", "lasso-spikes", "skglm")]),
        ("`sparse_cg` and `lsqr` take {} to {} of our time",
         [number("full_batch", "text-small", name, "times ours")
          for name in ("Ridge(sparse_cg, tol=1e-04)", "Ridge(lsqr, tol=1e-08)")]),
    ],
    "quick_start.md": [
        ("is {} times faster than `GridSearchCV`",
         [ratio("penalties", "cv", "GridSearchCV(GDLinearRegression)", CV)]),
    ],
    "devices.md": [
        ("takes {} to {} times as long on tall data, {} times on square and {} times on wide",
         [ratio("tensors", case, "torch.linalg.lstsq")
          for case in ("tall-10-float32", "tall", "square-float32", "wide")]),
    ],
    "dask.md": [
        ("the fit takes {} ms on two threads", [number("dask", "solvers", f"Dask{OURS}")]),
        ("takes {} times as long, and dask-ml's `LinearRegression` {} times with "
         "`solver=\"newton\"` and {} times with",
         [ratio("dask", "solvers", name, f"Dask{OURS}") for name in
          ("dask.array.linalg.lstsq", "dask_ml LinearRegression(newton)",
           "dask_ml LinearRegression(gradient_descent)")]),
        ("at most {} chunks on a worker",
         [number("dask", "memory", "64 chunks, 2 processes", "memory of a worker")]),
        ("it takes {} chunks on a worker and {} chunks on the client",
         [number("dask", "memory", "256 chunks, 2 processes", column)
          for column in ("memory of a worker", "of the client")]),
        ("| moments of 1,000 rows of 1,000 features | {} ms",
         [rate("moments of 1,000 x 1,000")]),
        ("| a pass over 1,000 rows of 1,000 features | {} ms",
         [rate("a pass over 1,000 x 1,000")]),
        ("| a matrix of 8 MB to the client | {} ms",
         [number("dask", "rates", "a matrix of 8 MB to the client", "(ms)")]),
        ("| a task of the scheduler | {} ms",
         [number("dask", "rates", "a task of the scheduler", "(ms)")]),
    ],
    "choosing.md": [
        ("`LinearRegression` takes {} ms, `GDLinearRegression` {} ms",
         [number("full_batch", "small", LR), number("full_batch", "small")]),
        ("442 rows of 10 features take {} ms, and {} ms with `GDLinearRegression`",
         [number("full_batch", "small", LR), number("full_batch", "small")]),
        ("is {} times faster, and needs {} MB of memory beside X instead of {} MB",
         [full(tall, LR), number("full_batch", tall, column=MEMORY),
          number("full_batch", tall, LR, MEMORY)]),
        ("With `positive=True`, `GDLinearRegression` is {} times faster",
         [ratio("penalties", "positive", "LinearRegression(positive=True)")]),
        ("on tall data: {} times faster, with {} MB of memory beside X instead of {} MB",
         [full(tall, CHOLESKY), number("full_batch", tall, column=MEMORY),
          number("full_batch", tall, CHOLESKY, MEMORY)]),
        ("with one output, {} times faster than `lsqr` and {} times faster than `sparse_cg`",
         [full("text", "Ridge(lsqr, tol=1e-08)"), full("text", "Ridge(sparse_cg, tol=1e-08)")]),
        ("`lsqr` with `tol=1e-6` takes {} times as long",
         [full("text", "Ridge(lsqr, tol=1e-06)")]),
        ("{} times faster than `RidgeCV(cv=5)`",
         [ratio("penalties", "cv-ridge", "RidgeCV(cv=5)", CV)]),
        ("`Lasso` takes {} to {} of our time",
         [extreme(pick, [number("penalties", case, "Lasso(tol=1e-8)", "times ours")
                         for case in ("lasso-square", "lasso-weak")])
          for pick in (min, max)]),
        ("is level with `ElasticNetCV`", [LEVEL], (0.8, 1.25)),
        ("with `tol=1e-7` it takes {} times as long",
         [ratio("penalties", "cv-wider", "ElasticNetCV(tol=1e-07)", CV)]),
        ("it is {} times faster than `ElasticNet` with `precompute=True`, {} times faster than "
         "without, and {} times with ten outputs",
         [ratio("penalties", "lasso", LASSO), ratio("penalties", "lasso", "ElasticNet()"),
          ratio("penalties", "elastic-10", f"MultiOutputRegressor({LASSO})")]),
        ("On text in CSR format it is {} times faster",
         [ratio("penalties", "elastic-text", "ElasticNet()")]),
        ("in cross-validation on tall data {} times",
         [ratio("penalties", "cv", "ElasticNetCV()", CV)]),
        ("a call of `partial_fit` with one row takes it {} ms, and {} ms with "
         "`GDLinearRegression(batch_size=256)`",
         [number("growth", "row", name, "a chunk (ms)")
          for name in ("SGDRegressor", f"{OURS}(batch_size=256)")]),
        ("takes {} times as long with `average=True`",
         [ratio("mini_batch", tall, AVERAGED, BATCHES, to_4)]),
        ("takes {} and {} seconds to an excess of 1e-2",
         [races(MLP, to_2), races(ADAM, to_2)]),
        ("takes {} seconds to 1e-4 in mini-batches, and {} seconds to the optimum",
         [races(BATCHES, to_4), number("full_batch", tall, per=1e3)]),
        ("with its best solver took {} times as long",
         [ratio("dask", "solvers", "dask_ml LinearRegression(newton)",
                "DaskGDLinearRegression")]),
        ("{} to {} times as fast as `torch.linalg.lstsq`",
         [ratio("tensors", case, "torch.linalg.lstsq") for case in ("square-float32", "tall")]),
        ("mini-batches end {} % above the optimum after thirty epochs",
         [percent(number("mini_batch", "text", BATCHES, "excess"))]),
    ],
}  # fmt: skip


def shown(value):
    """Format a number to two digits."""
    if value >= 10:
        return f"{value:,.0f}"
    return f"{value:.1f}".removesuffix(".0") if value >= 1 else f"{value:.2g}"


def pattern(template):
    """Return what finds a claim in a page, whatever its lines, with a group per number."""
    parts = [r"\s+".join(map(re.escape, part.split(" "))) for part in template.split("{}")]
    return re.compile(r"([\d.,]*\d)".join(parts))


def renewed(text, claims, records):
    """Return a page with the numbers of the records."""
    for template, values, *_ in claims:

        def replaced(match, values=values):
            found = match[0]
            for i in reversed(range(len(match.groups()))):
                first, last = (k - match.start() for k in match.span(i + 1))
                form = getattr(values[i], "shown", shown)
                found = found[:first] + form(values[i](records)) + found[last:]
            return found

        text = pattern(template).sub(replaced, text)
    return text


def renew(docs, records):
    """Write the numbers of the records into the pages in a folder; print what does not hold."""
    for name, claims in CLAIMS.items():
        page = docs / name
        text = renewed(page.read_text(encoding="utf-8"), claims, records)
        page.write_text(text, encoding="utf-8")
        for line in broken(text, claims, records):
            print(f"{name}: {line}")


def broken(text, claims, records):
    """Yield the claims of a page that do not hold, or are not in it."""
    for template, values, *within in claims:
        found = list(pattern(template).finditer(text))
        measured = [value(records) for value in values]
        if len(found) != 1:
            yield f"{template!r} is {len(found)} times in the page"
        elif any(m < getattr(v, "least", 0.0) for m, v in zip(measured, values, strict=True)):
            yield f"{template!r} says that the slower is faster: {measured}"
        elif within and not within[0][0] <= measured[0] <= within[0][1]:
            yield f"{template!r} does not hold: {measured}"
        for text_of, value in zip(found[0].groups() if found else (), measured, strict=False):
            said = float(text_of.replace(",", ""))
            if not value / TOLERANCE <= said <= value * TOLERANCE:
                yield f"{template!r} says {said:g}, and the last run {value:.3g}"
