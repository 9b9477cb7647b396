from numpy.typing import NDArray

class Rule:
    batch_size: int
    divisor: int
    period: int
    shrink: float
    momentum: float
    cautious: bool
    nesterov: bool
    def __init__(
        self,
        *,
        batch_size: int,
        divisor: int = 0,
        shrink: float = 0.0,
        period: int = 0,
        cautious: bool = False,
        momentum: float = 0.0,
        nesterov: bool = False,
    ) -> None: ...

def descend_dense(
    rule: Rule,
    X: NDArray,
    Y: NDArray,
    rows: NDArray,
    weight: NDArray,
    steps: NDArray,
    centre: NDArray,
    inverse: NDArray,
    ridge: NDArray,
    block: NDArray,
    residual: NDArray,
    gradient: NDArray,
    W: NDArray,
    velocity: NDArray,
    total: NDArray,
    loss: NDArray,
    n_before: int,
) -> None: ...
def descend_sparse(
    rule: Rule,
    data: NDArray,
    indices: NDArray,
    indptr: NDArray,
    Y: NDArray,
    rows: NDArray,
    weight: NDArray,
    steps: NDArray,
    ridge: NDArray,
    intercept: float,
    kappa: float,
    residual: NDArray,
    products: NDArray,
    gradient: NDArray,
    table: NDArray,
    shared: NDArray,
    sums: NDArray,
    factors: NDArray,
    velocity: NDArray,
    loss: NDArray,
    n_before: int,
) -> None: ...
