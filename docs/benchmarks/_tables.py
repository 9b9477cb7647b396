"""Write the records of benchmarks as Markdown."""

import math
import re

NEAR = 1e-4
# A table has at most five columns, so that it fits into a page. What is left out is in
# results.json; of `predict` a sentence tells.
PREDICT, LEFT_OUT = "predict (ms)", ("epochs", "to 1e-02 (s)")
# The columns of words: they are aligned to the left, and may break.
WORDS = ("name", "fastest other")
USUAL = ("D=1", "float64", "dense")
ERRORS = ("excess", "difference", "error of coef_")


def digits(value):
    """Format a number to three digits; a dash for what was not measured."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or value == 0:
        return f"{value:,}"
    if abs(value) >= 1e7:
        return f"{value:.1e}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def cell(column, value):
    """Format a number as its column asks for."""
    if column in ERRORS and isinstance(value, float):
        return f"{value:.0e}"
    return digits(value)


def table(rows):
    """Return rows as a Markdown table, aligned, so that it also reads well as plain text."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [["" if column == "name" else column for column in columns]]
    lines += [[cell(column, row.get(column)) for column in columns] for row in rows]
    widths = [max(map(len, texts)) for texts in zip(*lines, strict=True)]
    aligns = ["<" if column in WORDS else ">" for column in columns]
    rules = {"<": "-", ">": ":"}
    lines.insert(1, ["-" * (w - 1) + rules[a] for w, a in zip(widths, aligns, strict=True)])
    return "\n".join(
        "| " + " | ".join(map("{:{}{}}".format, line, aligns, widths)) + " |" for line in lines
    )


def heading(record):
    """Return on what and with what a record was measured."""
    found = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    rates = ", ".join(f"{digits(rate)} {name}" for name, rate in record["rates"].items())
    beside = f" Measured beside: {rates}." if rates else ""
    absent = f" Not installed: {', '.join(found['absent'])}." if found["absent"] else ""
    quick = " **Small sizes, few repeats.**" if record["quick"] else ""
    return (
        f"{found['cpu']}, {found['cores']} cores; {versions}; {found['date']}."
        f"{beside}{absent}{quick}"
    )


def page(record):
    """Return all tables of a record."""
    parts = [f"# {record['title']}", record["about"], heading(record)]
    for name, case in record["cases"].items():
        narrow = [
            {key: row[key] for key in row if key not in (PREDICT, *LEFT_OUT)}
            for row in case["rows"]
        ]
        parts += [f"## {name}: {case['title']}", table(narrow)]
        notes = [case.get("note"), of_predict(case["rows"])]
        parts += [" ".join(filter(None, notes))] if any(notes) else []
    return "\n\n".join(parts) + "\n"


def of_predict(rows):
    """Return a sentence on the times of `predict`, where it was measured."""
    ours = [row[PREDICT] for row in rows if row.get(PREDICT) and is_ours(row)]
    others = [row[PREDICT] for row in rows if row.get(PREDICT) and not is_ours(row)]
    if not ours or not others:
        return ""
    low, high = digits(min(others)), digits(max(others))
    span = f"{low} to {high}" if len(others) > 1 else low
    return f"`predict` takes {digits(min(ours))} ms; with the others, {span} ms."


def is_ours(row):
    """Whether a contestant is of this package."""
    return "GDLinearRegression" in row["name"]


def short(title):
    """Return the title of a case in a few words: rows × features, and what is unusual."""
    sizes = dict(re.findall(r"\b([NMD])=([\d,]*\d)", title))
    if sizes.keys() >= {"N", "M"}:
        named = {"N": f"{sizes['N']} × {sizes['M']}", "M": ""}
    else:
        named = {"N": f"{sizes.get('N')} rows", "M": f"{sizes.get('M')} features"}
    named["D"] = f"{sizes.get('D')} outputs"
    words = []
    for part in re.sub(r" \((?:[^()]|\([^()]*\))*\)", "", title).split(", "):
        if part not in USUAL:
            word = named[part[0]] if part[1:2] == "=" else part
            words.append("CSR" if word.startswith("CSR") else word)
    return ", ".join(filter(None, words))


def contests(records):
    """Yield (benchmark, case, ours, peers) of all in which a peer has a time beside ours.

    The column "times ours" marks them. A case is its name and its title.
    """
    for benchmark, record in records.items():
        for name, case in record["cases"].items():
            timed = [row for row in case["rows"] if row.get("times ours") is not None]
            ours = [row for row in timed if row["times ours"] == 1]
            if ours and len(timed) > 1:
                peers = [row for row in timed if not is_ours(row)]
                yield benchmark, (name, case["title"]), ours[0], peers


def near(row):
    """Whether a contestant came to an excess of 1e-4, where there is one."""
    return row.get("excess") is None or row["excess"] <= NEAR


def summary(records):
    """Return one page: ours beside the fastest peer that came as near, case by case."""
    tables = {}
    for benchmark, (name, title), ours, peers in contests(records):
        column = list(ours)[1]
        close = [peer for peer in peers if near(peer)]
        best = min(close, key=lambda peer: peer[column], default={"name": "none", column: None})
        tables.setdefault(benchmark, []).append(
            {
                "name": f"{name}: {short(title)}",
                "ours": f"{digits(ours[column])} ms",
                "times ours": best.get("times ours"),
                "fastest other": best["name"],
            }
        )
    parts = [
        "# Beside the fastest other estimator",
        f"Of the other estimators whose loss exceeds the least one by at most {NEAR:.0e} of it, "
        "the fastest. Where its time is less than 1 times ours, it is faster.",
    ]
    for benchmark, rows in tables.items():
        parts += [f"## {records[benchmark].get('title', benchmark)}", table(rows)]
    return "\n\n".join(parts if tables else [*parts, "None was measured."]) + "\n"
