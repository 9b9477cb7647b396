from numpy.typing import NDArray

from .update_rule import Rule

def descend_dense(
    rule: Rule,
    X: NDArray,
    Y: NDArray,
    rows: NDArray,
    weight: NDArray,
    steps: NDArray,
    running: NDArray,
    centre: NDArray,
    inverse: NDArray,
    proximal_scale: NDArray,
    density: NDArray,
    penalty: NDArray,
    of_features: NDArray,
    block: NDArray,
    residual: NDArray,
    gradient: NDArray,
    sums: NDArray,
    filled: NDArray,
    W: NDArray,
    velocity: NDArray,
    total: NDArray,
    loss: NDArray,
    correction: NDArray,
    metric: NDArray,
) -> None: ...
