from numpy.typing import NDArray

from ._rule import Rule

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
    seen: NDArray,
    q: NDArray,
    products: NDArray,
    kappa: NDArray,
    held: NDArray,
    penalty: NDArray,
    debts: NDArray,
    residual: NDArray,
    gradient: NDArray,
    sums: NDArray,
    table: NDArray,
    shared: NDArray,
    factors: NDArray,
    velocity: NDArray,
    loss: NDArray,
    n_before: int,
) -> None: ...
