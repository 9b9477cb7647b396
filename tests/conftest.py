"""Data that several test files use."""

import csv
import gzip
import os
from pathlib import Path

# SciPy asks for it before it is imported; without it scikit-learn skips its own checks.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import numpy as np
import pytest

try:
    import hypothesis
except ImportError:
    hypothesis = None

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_addoption(parser):
    parser.addoption(
        "--examples", type=int, default=100, help="random problems for each property"
    )


def pytest_configure(config):
    """Have the same random problems in every run, few or as many as are asked for."""
    if hypothesis is None:
        return
    options = {
        "derandomize": True, "deadline": None, "database": None,
        "suppress_health_check": list(hypothesis.HealthCheck),
        "phases": [hypothesis.Phase.generate, hypothesis.Phase.shrink],
    }  # fmt: skip
    n_examples = config.getoption("--examples")
    hypothesis.settings.register_profile("default", max_examples=n_examples, **options)
    hypothesis.settings.load_profile("default")


@pytest.fixture(scope="session", autouse=True)
def cuda_is_there_or_not():
    """Let scikit-learn skip its checks on CUDA where PyTorch was built for it and has no GPU.

    It asks whether PyTorch was built for CUDA, as the usual one for Linux is.
    """
    try:
        import torch
    except ImportError:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.backends.cuda, "is_built", torch.cuda.is_available)
        yield


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def make_data():
    """Return a maker of correlated, off-centre features of unlike scales, and noisy Y."""

    def make(N=200, M=8, D=3, *, seed=0, decades=3.0, offset=5.0, noise=1.0):
        rng = np.random.default_rng(seed)
        E = rng.standard_normal((N, M)) @ (np.eye(M) + 0.3 * rng.standard_normal((M, M)))
        scale = 10 ** rng.uniform(-decades / 2, decades / 2, M)
        X = (E + offset * rng.standard_normal(M)) * scale
        Y = E @ rng.standard_normal((M, D)) + rng.standard_normal(D)
        return X, Y + noise * rng.standard_normal((N, D))

    return make


@pytest.fixture
def plain_steps(monkeypatch):
    """Return what makes automatic descents go by plain steps, as those that are looked at do.

    In the metric of a factor they end too soon for a test of what is true on the way.
    """
    from sklearn_gdlinreg import _fit

    read_groups = _fit.read_groups

    def unwhitened(*args, **options):
        return read_groups(*args, **{**options, "whitened": False})

    return lambda: monkeypatch.setattr(_fit, "read_groups", unwhitened)


@pytest.fixture
def shared():
    """Return a reader of the project's real data; skip where they are not beside it."""
    if not SHARED.is_dir():
        pytest.skip("the real data are not beside this checkout")

    def read(name):
        path = SHARED / name
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as lines:
            return np.array(list(csv.reader(lines))[1:], dtype=float)

    return read
