"""The types that skops has to trust to load a fitted model.

``skops.io.load(path, trusted=TRUSTED_TYPES)`` loads every estimator of this package that skops
has saved, also after `partial_fit` and `sparsify`.
"""

TRUSTED_TYPES = (
    "scipy.sparse._csr.csr_array",
    "sklearn_gdlinreg._mini_batch.csr.CSRSGD",
    "sklearn_gdlinreg._mini_batch.dense.DenseSGD",
    "sklearn_gdlinreg._mini_batch.epochs.TailAverage",
    "sklearn_gdlinreg._mini_batch.streams.Streams",
    "sklearn_gdlinreg._mini_batch.stream.Stream",
    "sklearn_gdlinreg._mini_batch.update_rule.Rule",
    "sklearn_gdlinreg._problem.penalty.Penalty",
    "sklearn_gdlinreg._regressor.GDLinearRegression",
    "sklearn_gdlinreg._regressor_cv.GDLinearRegressionCV",
    "sklearn_gdlinreg._solvers.divergence.ChunkWatch",
    "sklearn_gdlinreg._solvers.learning_rate.Schedule",
    "sklearn_gdlinreg.dask.DaskGDLinearRegression",
)
