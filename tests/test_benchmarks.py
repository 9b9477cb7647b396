"""What `docs/benchmarks` says of two runs, the tables it writes, and one small run of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from _compare import compare, report  # noqa: E402
from _tables import digits, of_predict, page, short, summary, table  # noqa: E402

pytest.importorskip("matplotlib")

from _pictures import forward  # noqa: E402

sys.path.remove(str(BENCHMARKS))

OURS, PEERS = "GDLinearRegression", ("Ridge", "LinearRegression", "ElasticNet")


def records(ours=10.0, peers=(20.0, 30.0, 40.0), rate=30.0, **changes):
    rows = [{"name": OURS, "fit (ms)": ours, "excess": 1e-20}]
    rows += [{"name": n, "fit (ms)": t} for n, t in zip(PEERS, peers, strict=True)]
    case = {"title": "N=100", "rows": rows} | changes
    return {"full": {"rates": {"GB/s read": rate}, "cases": {"tall": case}}}


def verdicts(earlier, now, **options):
    return [(row[0], row[3]) for row in compare(earlier, now, **options)]


@pytest.mark.parametrize(
    ("ours", "verdict"), [(14.0, "slower"), (12.0, "same"), (8.0, "same"), (7.0, "faster")]
)
def test_ours_is_told_beyond_the_threshold(ours, verdict):
    assert verdicts(records(), records(ours)) == [(verdict, OURS)]


def test_the_threshold_can_be_set():
    assert verdicts(records(), records(12.0), threshold=1.1) == [("slower", OURS)]


def test_a_machine_that_is_slower_as_a_whole_is_not_ours_being_slower():
    now = records(20.0, (40.0, 60.0, 80.0), rate=15.0)
    assert verdicts(records(), now) == [("same", OURS)]
    assert compare(records(), now)[0][5] == pytest.approx(1.0)


def test_ours_that_does_not_gain_from_a_faster_machine_is_slower():
    now = records(10.0, (10.0, 15.0, 20.0), rate=60.0)
    assert verdicts(records(), now) == [("slower", OURS)]


def test_yardsticks_that_disagree_raise_the_threshold():
    now = records(14.0, (10.0, 30.0, 80.0))
    assert verdicts(records(), now) == [("same", OURS)]
    assert verdicts(records(), records(14.0)) == [("slower", OURS)]


def test_without_peers_the_rates_of_the_machine_decide():
    def alone(seconds, rate):
        return records(rate=rate, rows=[{"name": OURS, "an epoch (ms)": seconds}])

    assert verdicts(alone(10.0, 30.0), alone(20.0, 15.0)) == [("same", OURS)]
    assert verdicts(alone(10.0, 30.0), alone(20.0, 30.0)) == [("slower", OURS)]


def test_what_is_missing_and_what_is_new():
    other = f"{OURS}(batch_size=32)"
    both = [{"name": name, "fit (ms)": 10.0} for name in (OURS, other)]
    assert verdicts(records(rows=both), records()) == [("same", OURS), ("missing", other)]
    assert verdicts(records(), records(rows=both)) == [("same", OURS), ("new", other)]


def test_a_case_of_another_size_is_not_compared():
    found = verdicts(records(), records(99.0, title="N=1"))
    assert sorted(found) == [("missing", OURS), ("new", OURS)]


def test_a_benchmark_that_did_not_run_is_passed_over():
    assert compare(records(), {}) == []


def test_a_target_not_reached_any_more_is_slower():
    reached = records(rows=[{"name": OURS, "to 1e-04 (s)": 1.0}])
    lost = records(rows=[{"name": OURS, "to 1e-04 (s)": None}])
    assert verdicts(reached, lost) == [("slower", OURS)]
    assert verdicts(lost, reached) == [("faster", OURS)]
    assert verdicts(lost, lost) == []


def test_peers_are_yardsticks_only_and_may_fail():
    now = records()
    now["full"]["cases"]["tall"]["rows"][1]["fit (ms)"] = "over 30 s"
    assert verdicts(records(), now) == [("same", OURS)]


def test_the_report_names_what_got_slower():
    text = report(compare(records(), records(20.0)))
    assert text.splitlines() == [
        "slower: full, tall: N=100, GDLinearRegression, fit (ms), 2.00 times as long",
        "0 of 1 times are as they were.",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0123456, "0.0123"),
        (12345.6, "12,346"),
        (-2.5, "-2.50"),
        (3.8e9, "3.8e+09"),
        (0.0, "0.0"),
        (7, "7"),
        (None, "-"),
        ("over 30 s", "over 30 s"),
    ],
)
def test_three_digits(value, text):
    assert digits(value) == text


def test_a_table_is_markdown():
    rows = [{"name": "a", "fit (ms)": 1.5, "excess": 2e-9}, {"name": "longer", "fit (ms)": "no"}]
    assert table(rows).splitlines() == [
        "|        | fit (ms) | excess |",
        "| ------ | -------: | -----: |",
        "| a      |     1.50 |  2e-09 |",
        "| longer |       no |      - |",
    ]


def test_the_summary_takes_peers_that_come_as_near():
    rows = [
        {"name": OURS, "fit (ms)": 10.0, "times ours": 1.0, "excess": 1e-20},
        {"name": "hasty", "fit (ms)": 1.0, "times ours": 0.1, "excess": 1e-2},
        {"name": "exact", "fit (ms)": 5.0, "times ours": 0.5, "excess": 1e-9},
    ]
    line = summary(records(rows=rows)).splitlines()[-1]
    assert [text.strip() for text in line.split("|")[1:-1]] == [
        "tall: 100 rows",
        "10.0 ms",
        "0.500",
        "exact",
    ]


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("N=200,000, M=50, D=1, float64, dense", "200,000 × 50"),
        ("N=200,000, M=50, D=10, float32, dense", "200,000 × 50, 10 outputs, float32"),
        ("N=2,000, M=4,000, D=1, float64, CSR of 116,609 nonzeros", "2,000 × 4,000, CSR"),
        ("calls of 1,000 rows, M=50, D=5", "calls of 1,000 rows, 50 features, 5 outputs"),
        ("30 ridges, D=1 (RidgeCV(cv=None) leaves one out), N=9, M=5", "30 ridges, 9 × 5"),
        ("N=10,000, X of 2 MB", "10,000 rows, X of 2 MB"),
        ("chunks of 10^3", "chunks of 10^3"),
    ],
)
def test_names_of_cases_are_short(title, text):
    assert short(title) == text


def test_a_page_has_at_most_five_columns():
    found = json.loads((BENCHMARKS / "results.json").read_text(encoding="utf-8"))
    for text in [summary(found), *map(page, found.values())]:
        assert max(line.count("|") for line in text.splitlines()) <= 6


def test_a_sentence_tells_of_predict():
    rows = [{"name": OURS, "predict (ms)": 1.0}, {"name": "a", "predict (ms)": 2.0}]
    assert of_predict(rows) == "`predict` takes 1.00 ms; with the others, 2.00 ms."
    rows += [{"name": "b", "predict (ms)": None}, {"name": "c", "predict (ms)": 3.0}]
    assert of_predict(rows) == "`predict` takes 1.00 ms; with the others, 2.00 to 3.00 ms."
    assert of_predict(rows[1:]) == ""


def test_no_line_runs_backwards_in_time():
    assert forward([[1.0, 4.0], [3.0, 3.0], [2.0, 2.0], [4.0, None], [5.0, 1.0]]) == [
        (1.0, 4.0),
        (2.0, 2.0),
        (5.0, 1.0),
    ]


def run(out, *options):
    command = [sys.executable, BENCHMARKS / "run.py", "--quick", "--out", out, *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_one_command_measures_writes_and_compares(tmp_path):
    first = run(tmp_path, "--only", "full_batch", "--case", "small")
    assert "No earlier run" in first
    found = json.loads((tmp_path / "results.json").read_text())["full_batch"]
    assert found["quick"]
    assert found["machine"]["cores"] > 0
    names = [row["name"] for row in found["cases"]["small"]["rows"]]
    assert OURS in names
    assert "LinearRegression" in names
    page = (tmp_path / "tables" / "full_batch.md").read_text()
    assert page.startswith("# Full-batch")
    assert "## small: N=442, M=10, D=1" in page
    assert "| small: 442 × 10 |" in (tmp_path / "tables" / "summary.md").read_text()

    # The same numbers beside themselves: of fit and of predict.
    again = run(tmp_path, "--only", "--add", tmp_path / "results.json")
    assert "2 of 2 times are as they were." in again
