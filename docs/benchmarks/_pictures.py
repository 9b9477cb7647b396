"""Draw the pictures of the performance page, readable on a telephone."""

import re

from _tables import contests, near
from matplotlib.figure import Figure

EXACT = 1e-16  # below it an excess is rounding
LOST = 1e4  # and beyond it no use
OURS, PEERS = "#0b6e99", "#c2571a"


def axes_of(title, **settings):
    """Return a figure on white, as wide as a telephone, and its axes."""
    figure = Figure(figsize=(5.2, 4.2), layout="constrained", facecolor="white")
    axes = figure.subplots()
    axes.set_title(title, fontsize=11)
    axes.set(**settings)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def short(name):
    """Return a name that fits into a picture."""
    name = name.replace("StandardScaler + ", "").replace("GDLinearRegression", "ours")
    return re.sub(r"\(batch_size=(\d+)\)", r", batch \1", name)


def excess(records):
    """Who gets how near in how long, on tall data."""
    full = records["full_batch"]["cases"]["tall"]
    races = records["mini_batch"]["cases"]["tall"]["paths"]
    figure, axes = axes_of(
        f"Who gets how near in how long\n{full['title'].split(', float')[0]}, unscaled",
        xscale="log", yscale="log", xlabel="seconds", ylim=(EXACT / 10, 30),
        ylabel="excess over the least loss, relative",
    )  # fmt: skip
    markers = iter("osD^vP<>hX*d")
    for row in full["rows"]:
        if row.get("excess") is not None and "SGD" not in row["name"] and row["excess"] < 1:
            color = OURS if row["name"].startswith("GD") else PEERS
            x, y = row["fit (ms)"] / 1e3, max(row["excess"], EXACT)
            name = short(row["name"]).replace(", tol=1e-08", "")
            axes.plot(x, y, next(markers), color=color, markersize=6, label=name)
    for name in (
        "GDLinearRegression(batch_size=32)",
        "StandardScaler + SGDRegressor(average=True)",
        "StandardScaler + MLPRegressor(adam)",
        "StandardScaler + torch SGD",
    ):
        path = [(x, y) for x, y in races.get(name, []) if y is not None]
        if path:
            color = OURS if name.startswith("GD") else PEERS
            axes.plot(
                *zip(*path, strict=True), next(markers) + "-", color=color, linewidth=1,
                markersize=3, label=short(name),
            )  # fmt: skip
    figure.set_figheight(5.4)
    figure.legend(loc="outside lower center", frameon=False, fontsize=8.5, ncols=2)
    return figure


def growth(records):
    """Time as rows grow."""
    cases = [case for case in records["growth"]["cases"].values() if "n" in case]
    figure, axes = axes_of(
        "Time of a fit as rows grow, 20 features",
        xscale="log", yscale="log", xlabel="rows", ylabel="seconds",
    )  # fmt: skip
    markers = iter("osD^vPX")
    for name in sorted(row["name"] for row in cases[0]["rows"]):
        times = [
            next(row["fit (ms)"] for row in case["rows"] if row["name"] == name) / 1e3
            for case in cases
        ]
        ours = name.startswith("GD")
        axes.plot(
            [case["n"] for case in cases], times, next(markers) + "-" * (1 + (not ours)),
            color=OURS if ours else PEERS, label=short(name), markersize=5, linewidth=1.2,
        )  # fmt: skip
    axes.legend(frameon=False, fontsize=8.5)
    return figure


def sparse(records):
    """Epochs over text, where rows with rare words are long."""
    case = records["mini_batch"]["cases"]["text"]
    figure, axes = axes_of(
        f"Mini-batches on text\n{case['title'].split(', float')[0]}, CSR",
        xscale="log", yscale="log", xlabel="seconds", ylim=(3e-3, LOST),
        ylabel="excess over the least loss, relative",
    )  # fmt: skip
    markers = iter("osD^vPX")
    for name, path in case["paths"].items():
        seen = [(x, y) for x, y in path if y is not None and y < LOST]
        if seen:
            axes.plot(
                *zip(*seen, strict=True), next(markers) + "-", label=short(name), linewidth=1,
                color=OURS if name.startswith("GD") else PEERS, markersize=4,
            )  # fmt: skip
        else:
            axes.plot(path[0][0], LOST, "x", color=PEERS, clip_on=False)
    axes.plot([], [], "x", color=PEERS, label="behind a StandardScaler: diverges")
    axes.legend(frameon=False, fontsize=8.5)
    return figure


def ratios(records):
    """Each case: every peer's time relative to ours."""
    chosen = [row for row in contests(records) if row[0] in ("full_batch", "penalties")]
    chosen.sort(key=lambda row: row[0])
    figure, axes = axes_of(
        "Times of peers, ours is 1", xscale="log", xlabel="times ours (left of 1: faster)"
    )
    figure.set_figheight(1.6 + 0.26 * len(chosen))
    for height, (_, _, _, peers) in enumerate(chosen):
        for close, marker in ((True, "o"), (False, "x")):
            seen = [row["times ours"] for row in peers if near(row) == close]
            axes.plot(seen, [height] * len(seen), marker, color=PEERS, markersize=6, alpha=0.8)
    axes.axvline(1, color=OURS)
    axes.set_yticks(range(len(chosen)), [name for _, (name, _), *_ in chosen])
    axes.set_ylim(len(chosen) - 0.5, -0.5)
    axes.plot([], [], "o", color=PEERS, label="within 1e-4 of the optimum")
    axes.plot([], [], "x", color=PEERS, label="further away")
    figure.legend(loc="outside lower center", frameon=False, fontsize=8.5, ncols=2)
    return figure


def dask(records):
    """Time on Dask against the number of chunks."""
    case = records["dask"]["cases"]["chunks"]
    columns = [name for name in case["rows"][0] if name.endswith("chunks (ms)")]
    chunks = [int(name.split()[0]) for name in columns]
    figure, axes = axes_of(
        f"A fit on Dask, {case['title']}", xscale="log", yscale="log",
        xlabel="chunks", ylabel="seconds",
    )  # fmt: skip
    for row in case["rows"]:
        seconds = [row[column] / 1e3 for column in columns]
        axes.plot(chunks, seconds, "o-", label=row["name"].partition(", ")[2])
    axes.set_xticks(chunks, chunks)
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=9)
    return figure


PICTURES = {  # and the cases that they show
    excess: (("full_batch", "tall"), ("mini_batch", "tall")),
    growth: (("growth", "10^4"), ("growth", "10^5")),
    sparse: (("mini_batch", "text"),),
    ratios: (("full_batch", "tall"), ("penalties", "lasso")),
    dask: (("dask", "chunks"),),
}


def draw(records, out):
    """Draw the pictures whose cases have been measured."""
    for picture, needed in PICTURES.items():
        if all(case in records.get(name, {"cases": ()})["cases"] for name, case in needed):
            figure = picture(records)
            figure.savefig(out / f"{picture.__name__}.png", dpi=150, metadata={"Software": None})
