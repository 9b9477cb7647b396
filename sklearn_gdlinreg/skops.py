"""What skops must trust, to load a fitted model.

``skops.io.load(path, trusted=TRUSTED_TYPES)`` loads whatever skops has saved of the estimators
of this package, after `partial_fit` and `sparsify` as well.
"""

TRUSTED_TYPES = (
    "scipy.sparse._csr.csr_array",
    "sklearn_gdlinreg._cv.GDLinearRegressionCV",
    "sklearn_gdlinreg._dense_walk.DenseWalk",
    "sklearn_gdlinreg._epochs.Tail",
    "sklearn_gdlinreg._penalty.Penalty",
    "sklearn_gdlinreg._regressor.GDLinearRegression",
    "sklearn_gdlinreg._rule.Rule",
    "sklearn_gdlinreg._sparse_walk.SparseWalk",
    "sklearn_gdlinreg._steps.Schedule",
    "sklearn_gdlinreg._stream.Stream",
    "sklearn_gdlinreg._streams.Streams",
    "sklearn_gdlinreg._textbook.ChunkWatch",
    "sklearn_gdlinreg.dask.DaskGDLinearRegression",
)
