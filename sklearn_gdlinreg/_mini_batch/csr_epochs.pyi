from numpy.typing import NDArray

from .update_rule import Rule

def descend_sparse(
    rule: Rule,
    data: NDArray,
    indices: NDArray,
    indptr: NDArray,
    Y: NDArray,
    rows: NDArray,
    weight: NDArray,
    steps: NDArray,
    intercept: float,
    running: NDArray,
    q: NDArray,
    products: NDArray,
    kappa: NDArray,
    unit: NDArray,
    penalty: NDArray,
    common: NDArray,
    density: NDArray,
    debts: NDArray,
    residual: NDArray,
    gradient: NDArray,
    sums: NDArray,
    filled: NDArray,
    table: NDArray,
    shared: NDArray,
    factors: NDArray,
    velocity: NDArray,
    loss: NDArray,
    n_before: int,
) -> None: ...
