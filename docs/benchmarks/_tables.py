"""Write the records of benchmarks as Markdown."""

import math

NEAR = 1e-4
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
    lines.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    aligns = "<" + ">" * (len(widths) - 1)
    return "\n".join(
        "| " + " | ".join(map("{:{}{}}".format, line, aligns, widths)) + " |" for line in lines
    )


def heading(record):
    """Return on what and with what a record was measured."""
    found = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    rates = ", ".join(f"{digits(rate)} {name}" for name, rate in record["rates"].items())
    absent = f" Not installed: {', '.join(found['absent'])}." if found["absent"] else ""
    quick = " **Small sizes, few repeats.**" if record["quick"] else ""
    return (
        f"{found['cpu']}, {found['cores']} cores; {versions}; {found['date']}. "
        f"Measured beside: {rates}.{absent}{quick}"
    )


def page(record):
    """Return all tables of a record."""
    parts = [f"# {record['title']}", record["about"], heading(record)]
    for name, case in record["cases"].items():
        parts += [f"## {name}: {case['title']}", table(case["rows"])]
        parts += [case["note"]] if case.get("note") else []
    return "\n\n".join(parts) + "\n"


def contests(records):
    """Yield (benchmark, case, ours, peers) of all in which a peer has a time beside ours.

    The column "times ours" marks them.
    """
    for benchmark, record in records.items():
        for name, case in record["cases"].items():
            timed = [row for row in case["rows"] if row.get("times ours") is not None]
            ours = [row for row in timed if row["times ours"] == 1]
            if ours and len(timed) > 1:
                peers = [row for row in timed if "GDLinearRegression" not in row["name"]]
                yield benchmark, f"{name}: {case['title']}", ours[0], peers


def near(row):
    """Whether a contestant came to an excess of 1e-4, where there is one."""
    return row.get("excess") is None or row["excess"] <= NEAR


def summary(records):
    """Return one page: ours beside the fastest peer that came as near, case by case."""
    rows = []
    for benchmark, case, ours, peers in contests(records):
        column = list(ours)[1]
        close = [peer for peer in peers if near(peer)]
        best = min(close, key=lambda peer: peer[column], default={"name": "none", column: None})
        rows.append(
            {
                "name": f"{benchmark}, {case}",
                "ours": f"{digits(ours[column])} ms",
                "fastest peer": best["name"],
                "times ours": best.get("times ours"),
            }
        )
    return (
        "# Ours beside the fastest peer\n\n"
        f"Of the peers that come within {NEAR:.0e} of the optimum, relatively. Where the last "
        f"column is below 1, the peer is faster.\n\n"
        f"{table(rows) if rows else 'None was measured.'}\n"
    )
