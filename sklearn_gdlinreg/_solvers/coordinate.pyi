from numpy.typing import NDArray

def proximal_gradient(
    l1: NDArray, positive: NDArray, noise: NDArray, v: NDArray, g: NDArray, out: NDArray
) -> None: ...
def face_gradient(
    l1: NDArray,
    always: NDArray,
    noise: NDArray,
    v: NDArray,
    g: NDArray,
    slope: NDArray,
    out: NDArray,
) -> float: ...
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
) -> float: ...
def newton_step(
    H: NDArray,
    l2: NDArray,
    positive: NDArray,
    slope: NDArray,
    L: NDArray,
    face: NDArray,
    v: NDArray,
    g: NDArray,
    d: NDArray,
    image: NDArray,
    room: NDArray,
    ends: NDArray,
) -> int: ...
