from numpy.typing import NDArray

def descend_coordinates(
    H: NDArray,
    l1: NDArray,
    l2: NDArray,
    positive: NDArray,
    active: NDArray,
    v: NDArray,
    g: NDArray,
    n_epochs: int,
    small: float,
) -> bool: ...
def extend_factor(
    H: NDArray, l2: NDArray, face: NDArray, n_known: int, shift: float, L: NDArray
) -> bool: ...
def solve_factor(L: NDArray, x: NDArray) -> None: ...
def bent_step(
    H: NDArray,
    l2: NDArray,
    slope: NDArray,
    ends: NDArray,
    room: NDArray,
    v: NDArray,
    g: NDArray,
    d: NDArray,
    image: NDArray,
) -> int: ...
