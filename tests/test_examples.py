"""Every example runs on its own, says what it should and warns of nothing."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
pytest.importorskip("matplotlib")
pytest.importorskip("pyarrow")
pytest.importorskip("dask.array")

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))
# What each prints where its point is made.
POINTS = {
    "plot_cars": r"A model year later: -0\.\d+ litres",
    "plot_exact_streams": r"exact, half_life=300 +1\.\de-02",
    "plot_merge_shards": r"reading one file at once: \d+ MB used, 40 MB allowed",
    "plot_early_stopping": r"early stopping +\d+ iterations",
    "plot_grid_search": r"degree 2: least error 54\.4",
    "plot_larger_than_memory": r"reading the whole file at once: MemoryError",
    "plot_loss_surface": r"automatic: loss (0\.0e\+00|-?\d\.\de-1\d) above",
    "plot_mini_batches": r"variance-reduced +1e-1[4-6]",
    "plot_masked_targets": r"copper: \d+ values, largest difference of predictions \de-1\d",
    "plot_quick_start": r"optimality \d\.\de-1\d, tol",
    "plot_sparse_text": r"GDLinearRegression +R² on other files 0\.[12]",
    "plot_stream_from_parquet": r"reading the whole file at once: ArrowMemoryError",
    "plot_unscaled": r"SGDRegressor +R² -\d\.\d+e\+\d\d .* 0 warnings",
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(path, tmp_path):
    if "runs on Linux" in path.read_text(encoding="utf-8") and sys.platform != "linux":
        pytest.skip("the system holds no process to a limit of its memory")
    done = subprocess.run(
        # Where there is a display, matplotlib tells that this backend shows nothing on it.
        [sys.executable, "-W", "ignore:FigureCanvasAgg is non-interactive", path],
        cwd=tmp_path, env={**os.environ, "MPLBACKEND": "agg", "PYTHONUTF8": "1"},
        capture_output=True, text=True, check=False, encoding="utf-8",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(POINTS[path.stem], done.stdout)
