from numpy.typing import NDArray

from ._rule import Rule

def descend_dense(
    rule: Rule,
    X: NDArray,
    Y: NDArray,
    rows: NDArray,
    weight: NDArray,
    steps: NDArray,
    seen: NDArray,
    centre: NDArray,
    inverse: NDArray,
    gain: NDArray,
    penalty: NDArray,
    block: NDArray,
    residual: NDArray,
    gradient: NDArray,
    sums: NDArray,
    W: NDArray,
    velocity: NDArray,
    total: NDArray,
    loss: NDArray,
    n_before: int,
) -> None: ...
