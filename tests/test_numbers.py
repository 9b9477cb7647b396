"""Numbers in prose are those of the tables of the last run."""

import json
import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
sys.path.insert(0, str(DOCS / "benchmarks"))

from _claims import CLAIMS, broken, pattern, renewed, shown  # noqa: E402

sys.path.remove(str(DOCS / "benchmarks"))

RECORDS = json.loads((DOCS / "benchmarks" / "results.json").read_text(encoding="utf-8"))
COUNTS = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty"
MEASURES = (
    rf"(?:[\d.,]*\d|{COUNTS})\s+(?:times\b|MB\b|ms\b|seconds?\b|%|digits\b|of our time)"
    r"|\bhalf of the time|\ban? \w+(?:th|rd) of the|twice as"
)
# Measures that are no result of a run: definitions, limits and sizes.
OTHERS = ["a millionth of the"]


def text_of(page):
    return (DOCS / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", CLAIMS)
def test_claims_hold(page):
    assert list(broken(text_of(page), CLAIMS[page], RECORDS)) == []


# The others also have sizes of data, and estimates that are worked out on the page.
@pytest.mark.parametrize(
    "page", ["../README.md", "index.md", "accuracy.md", "performance.md", "choosing.md"]
)
def test_every_measure_is_a_claim(page):
    """A time, a factor or a size stands in a claim, which names its table."""
    text = re.sub(r"```.*?```", lambda m: "\n" * m[0].count("\n"), text_of(page), flags=re.S)
    spans = [m.span() for claim in CLAIMS[page] for m in pattern(claim[0]).finditer(text)]
    for match in re.finditer(MEASURES, text):
        inside = any(first <= match.start() and match.end() <= last for first, last in spans)
        assert inside or match[0] in OTHERS, text[match.start() - 60 : match.end() + 20]


def records(ours, other):
    names = {"GDLinearRegression": ours, "Ridge": other}
    rows = [{"name": name, "fit (ms)": value} for name, value in names.items()]
    return {"full": {"cases": {"tall": {"rows": rows}}}}


def faster(found):
    rows = {row["name"]: row["fit (ms)"] for row in found["full"]["cases"]["tall"]["rows"]}
    return rows["Ridge"] / rows["GDLinearRegression"]


faster.least = 1.0
CLAIM = [("is {} times faster, and", [faster])]


def test_a_claim_is_renewed():
    text = "It is 2.0 times\nfaster, and\n"
    assert renewed(text.replace("\nf", " f"), CLAIM, records(1.0, 3.14)) == (
        "It is 3.1 times faster, and\n"
    )
    assert renewed(text, CLAIM, records(1.0, 31.4)) == "It is 31 times\nfaster, and\n"


def test_a_claim_that_does_not_hold_is_found():
    text = "It is 2.0 times faster, and\n"
    assert list(broken(text, CLAIM, records(1.0, 2.4))) == []
    assert "says 2, and the last run 4" in next(broken(text, CLAIM, records(1.0, 4.0)))
    assert "the slower is faster" in next(broken(text, CLAIM, records(1.0, 0.9)))
    assert "is 0 times in the page" in next(broken("", CLAIM, records(1.0, 2.0)))
    in_words = [("is twice as fast", [faster], (1.8, 2.2))]
    assert list(broken("is twice as fast", in_words, records(1.0, 2.1))) == []
    assert "does not hold" in next(broken("is twice as fast", in_words, records(1.0, 3.0)))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.4538, "0.45"), (2.0, "2"), (2.35, "2.4"), (31.4, "31"), (1234.5, "1,234")],
)
def test_two_digits(value, text):
    assert shown(value) == text
