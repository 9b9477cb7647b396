"""Draw the pictures of the performance page, readable on a telephone, for light and for dark."""

import io
import math
import re
from itertools import count

import matplotlib
from _tables import contests, is_ours, near
from matplotlib.figure import Figure
from PIL import Image

EXACT = 1e-16  # below it an excess is rounding
LOST = 1e4  # and beyond it no use
OURS = {"light": "#0b6e99", "dark": "#5fb8dd"}
# The first are of Okabe and Ito, which the colour-blind can tell apart; markers differ, too.
OTHERS = (
    "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#8c6bb1", "#999999", "#a6761d", "#e7298a",
    "#66a61e", "#b2182b",
)  # fmt: skip
MARKERS = "sD^vP<>X*dph8"
THEMES = {
    "light": {"figure.facecolor": "white", "ink": "#222222"},
    "dark": {"figure.facecolor": "#14181e", "ink": "#ced6dd"},
}


class Looks:
    """One colour and one marker per contestant: ours blue with a dot, the others in turn."""

    def __init__(self, theme):
        self.ours, self.n_ours, self.n_others = OURS[theme], count(), count()

    def __call__(self, name):
        if is_ours({"name": name}):
            n = next(self.n_ours)
            return {"color": self.ours, "marker": ("o" + MARKERS)[n], "zorder": 3}
        n = next(self.n_others)
        return {"color": OTHERS[n % len(OTHERS)], "marker": MARKERS[n % len(MARKERS)]}


def axes_of(title, **settings):
    """Return a figure as wide as a telephone, and its axes."""
    figure = Figure(figsize=(5.2, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize=11)
    axes.set(**settings)
    axes.grid(alpha=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def short(name):
    """Return a name that fits into a picture."""
    name = re.sub(r", tol=1e-0?8|, 50 epochs", "", name)
    return re.sub(r"StandardScaler \+ (.+)", r"\1, scaled", name)


def forward(path):
    """Return the points of a path in the order of their times.

    Each number of epochs is a fit of its own. Where one with more epochs took less time,
    something disturbed the one with fewer: it is left out.
    """
    seen, least = [], math.inf
    for seconds, excess in reversed(path):
        if excess is not None and seconds < least:
            seen.append((seconds, excess))
            least = seconds
    return seen[::-1]


def below(figure, ncols=2):
    """Put the legend below the axes."""
    figure.legend(loc="outside lower center", frameon=False, fontsize=8.5, ncols=ncols)
    return figure


def excess(records, theme):
    """Excess loss against time on tall data."""
    full = records["full_batch"]["cases"]["tall"]
    races = records["mini_batch"]["cases"]["tall"]["paths"]
    figure, axes = axes_of(
        "Excess loss against time\n200,000 rows of 50 unscaled features",
        xscale="log", yscale="log", xlabel="seconds", ylim=(EXACT / 10, 30),
        ylabel="excess loss",
    )  # fmt: skip
    look = Looks(theme)
    for row in full["rows"]:
        if row.get("excess") is not None and "SGD" not in row["name"] and row["excess"] < 1:
            x, y = row["fit (ms)"] / 1e3, max(row["excess"], EXACT)
            style = look(row["name"]) | {"linestyle": "none", "markersize": 7}
            axes.plot(x, y, label=short(row["name"]), **style)
    for name in (
        "GDLinearRegression(batch_size=32)",
        "StandardScaler + SGDRegressor(average=True)",
        "StandardScaler + MLPRegressor(adam)",
        "StandardScaler + torch SGD",
    ):
        if path := forward(races.get(name, [])):
            style = look(name) | {"linewidth": 1, "markersize": 3}
            axes.plot(*zip(*path, strict=True), label=short(name), **style)
    figure.set_figheight(5.6)
    return below(figure)


def growth(records, theme):
    """Draw the time of a fit against the number of rows."""
    cases = [case for case in records["growth"]["cases"].values() if "n" in case]
    figure, axes = axes_of(
        "Time of a fit against the number of rows\n20 features",
        xscale="log", yscale="log", xlabel="rows", ylabel="seconds",
    )  # fmt: skip
    look = Looks(theme)
    for name in sorted(row["name"] for row in cases[0]["rows"]):
        times = [
            next(row["fit (ms)"] for row in case["rows"] if row["name"] == name) / 1e3
            for case in cases
        ]
        style = {"linestyle": "-" if is_ours({"name": name}) else "--", "linewidth": 1.2}
        axes.plot(
            [case["n"] for case in cases], times, label=short(name), markersize=5,
            **look(name), **style,
        )  # fmt: skip
    figure.set_figheight(5.0)
    return below(figure, ncols=1)


def sparse(records, theme):
    """Epochs over text, where rows with rare words are long."""
    case = records["mini_batch"]["cases"]["text"]
    figure, axes = axes_of(
        "Mini-batches on text\n50,000 documents, 100,000 words",
        xscale="log", yscale="log", xlabel="seconds", ylim=(3e-3, LOST),
        ylabel="excess loss",
    )  # fmt: skip
    look = Looks(theme)
    for name, path in case["paths"].items():
        style = look(name)
        if seen := [(x, y) for x, y in forward(path) if y < LOST]:
            style |= {"linewidth": 1, "markersize": 4, "label": short(name)}
            axes.plot(*zip(*seen, strict=True), **style)
        else:
            style |= {"linestyle": "none", "clip_on": False, "label": f"{short(name)}: diverges"}
            axes.plot(path[0][0], LOST, **style)
    figure.set_figheight(5.4)
    return below(figure, ncols=1)


# Names of families, for there are more contestants than one can tell apart.
FAMILIES = {
    "scikit-learn-intelex": "intelex",
    "LinearRegression": "LinearRegression",
    "Ridge, RidgeCV": "Ridge",
    "Lasso, ElasticNet and CV": "Lasso|ElasticNet",
    "SGDRegressor": "SGD",
    "torch.linalg.lstsq": "torch",
    "celer": "celer",
    "skglm": "skglm",
    "glum": "glum",
}


def family(name):
    """Return the family of a contestant."""
    found = [key for key, pattern in FAMILIES.items() if re.search(pattern, name)]
    named = [key for key in found if key in ("celer", "skglm", "glum")]
    return (named or found or [name])[0]


def ratios(records, theme):
    """Each case: the time of every other estimator relative to ours."""
    chosen = [row for row in contests(records) if row[0] in ("full_batch", "penalties")]
    chosen.sort(key=lambda row: row[0])
    figure, axes = axes_of(
        "Time of the other estimators\nThe line at 1 is GDLinearRegression",
        xscale="log", xlabel="times ours (left of 1: faster)",
    )  # fmt: skip
    figure.set_figheight(2.4 + 0.26 * len(chosen))
    look = Looks(theme)
    looks = {name: look(name) for name in FAMILIES}
    for height, (*_, peers) in enumerate(chosen):
        for row in peers:
            style = {"linestyle": "none", "markersize": 6, "alpha": 0.9}
            style |= looks.get(family(row["name"]), {"color": "#999999", "marker": "."})
            face = {} if near(row) else {"markerfacecolor": "none"}
            axes.plot(row["times ours"], height, **style, **face)
    axes.axvline(1, color=OURS[theme])
    axes.set_yticks(range(len(chosen)), [name for _, (name, _), *_ in chosen])
    axes.set_ylim(len(chosen) - 0.5, -0.5)
    for name, style in looks.items():
        axes.plot([], [], label=name, linestyle="none", **style)
    open_mark = {"linestyle": "none", "marker": "o", "markerfacecolor": "none"}
    axes.plot([], [], label="hollow: excess above 1e-4", color="#999999", **open_mark)
    return below(figure)


def dask(records, theme):
    """Time on Dask against the number of chunks."""
    case = records["dask"]["cases"]["chunks"]
    columns = [name for name in case["rows"][0] if name.endswith("chunks (ms)")]
    chunks = [int(name.split()[0]) for name in columns]
    figure, axes = axes_of(
        "A fit of DaskGDLinearRegression\n200,000 rows of 50 features",
        xscale="log", yscale="log", xlabel="chunks", ylabel="seconds",
    )  # fmt: skip
    look = Looks(theme)
    for row in case["rows"]:
        seconds = [row[column] / 1e3 for column in columns]
        workers = row["name"].partition(", ")[2]
        axes.plot(chunks, seconds, label=workers, **look(workers))
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


def save(figure, path):
    """Write a figure as a PNG of few colours, a third of the size."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=150, metadata={"Software": None})
    image = Image.open(buffer).convert("RGB").quantize(96, dither=Image.Dither.NONE)
    image.save(path, optimize=True)


def draw(records, out):
    """Draw the pictures whose cases have been measured: `NAME.png` and `NAME-dark.png`."""
    for theme, settings in THEMES.items():
        ink = settings["ink"]
        inks = (
            "text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color",
            "grid.color",
        )  # fmt: skip
        colors = {"figure.facecolor": settings["figure.facecolor"], "axes.facecolor": "none"}
        with matplotlib.rc_context(colors | dict.fromkeys(inks, ink)):
            for picture, needed in PICTURES.items():
                cases = (records.get(name, {"cases": ()})["cases"] for name, _ in needed)
                if all(case in found for (_, case), found in zip(needed, cases, strict=True)):
                    suffix = "" if theme == "light" else "-dark"
                    save(picture(records, theme), out / f"{picture.__name__}{suffix}.png")
