"""Run all benchmarks, compare with the run before, and write what the documentation shows.

    python docs/benchmarks/run.py

Each benchmark runs in a process of its own. The numbers go to `results.json`, the tables to
`tables/`, the pictures beside them, and what pages quote into their sentences, as `_claims.py`
says. Our times are compared with those of the file that is there,
or of `--earlier FILE`: what got slower is printed, and with `--fail` it is an error. How noise
is kept out of that: see `_compare.py`.

`--only NAME ...` runs some and keeps the other results; `--only` without a name just draws and
writes again. `--add FILE` takes in what a benchmark wrote elsewhere with `--json`, for instance
on a machine with a GPU. `--quick` takes small sizes and writes to `docs/_build/benchmarks`.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import _path  # noqa: F401
from _claims import renew
from _compare import THRESHOLD, compare, report
from _pictures import draw
from _tables import page, summary

HERE = Path(__file__).resolve().parent
BENCHMARKS = {  # and the modules that they cannot do without
    "full_batch": (),
    "mini_batch": (),
    "penalties": (),
    "growth": (),
    "accuracy": (),
    "tensors": ("torch", "array_api_compat"),
    "gpu": ("torch", "array_api_compat"),
    "dask": ("dask", "distributed", "dask_ml"),
}
SCRIPTS = {"tensors": ("gpu.py", "--device", "cpu")}  # the others have their names


def lacking(name):
    """Return why a benchmark cannot run, or nothing."""
    missing = [module for module in BENCHMARKS[name] if not importlib.util.find_spec(module)]
    return f"not installed: {', '.join(missing)}" if missing else ""


def measured(name, options):
    """Return the exit status of a benchmark, run in a process of its own, and its records."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.json"
        script, *own = SCRIPTS.get(name, (f"{name}.py",))
        command = [sys.executable, HERE / script, "--json", path, *own, *options]
        status = subprocess.run(command).returncode
        return status, read(path)


def read(path):
    """Return the records in a file, none where there is no file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(records, out):
    """Write the numbers, a page of tables for each benchmark, a summary, and the pictures."""
    tables = out / "tables"
    tables.mkdir(parents=True, exist_ok=True)
    text = json.dumps(records, separators=(",", ":"))
    (out / "results.json").write_text(text.replace('"name"', '\n"name"'), encoding="utf-8")
    for name, record in records.items():
        (tables / f"{name}.md").write_text(page(record), encoding="utf-8")
    (tables / "summary.md").write_text(summary(records), encoding="utf-8")
    draw(records, out)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=BENCHMARKS, default=list(BENCHMARKS))
    parser.add_argument("--case", nargs="+", default=[], help="cases of the one benchmark")
    parser.add_argument("--quick", action="store_true", help="small sizes, few repeats")
    parser.add_argument("--out", type=Path, help="folder for all that is written")
    parser.add_argument("--earlier", type=Path, help="results.json of another run")
    parser.add_argument("--add", type=Path, nargs="+", default=[], help="records from elsewhere")
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help="least change told")
    parser.add_argument("--fail", action="store_true", help="exit with 1 if any got slower")
    arguments = parser.parse_args()
    if arguments.case and len(arguments.only) != 1:
        parser.error("--case goes with one benchmark: --only NAME")
    return arguments


def main():
    arguments = parse()
    quick_out = HERE.parent / "_build" / "benchmarks"
    out = arguments.out or (quick_out if arguments.quick else HERE)
    before = read(out / "results.json")
    earlier = read(arguments.earlier) if arguments.earlier else before
    options = ["--quick"] * arguments.quick
    if arguments.case:
        options += ["--case", *arguments.case]
    now, failed = {}, False
    for path in arguments.add:
        now |= read(path)
    for name in arguments.only:
        why = lacking(name)
        status, record = (0, {}) if why else measured(name, options)
        if why or status:
            print(f"{name}: {f'left out, {why}' if why else 'failed'}")
        failed |= status != 0
        now |= record
    write(before | now, out)
    if out == HERE:
        renew(HERE.parent, before | now)
    found = compare(earlier, now, arguments.threshold)
    print(report(found) if found else "No earlier run to compare with.")
    slower = any(verdict == "slower" for verdict, *_ in found)
    return int(failed or (arguments.fail and slower))


if __name__ == "__main__":
    sys.exit(main())
