from numpy.typing import NDArray

def advance(
    V: NDArray, G: NDArray, P: NDArray, HP: NDArray, length: NDArray, squares: NDArray
) -> None: ...
def slopes(P: NDArray, G: NDArray, floor: NDArray, slope: NDArray, flat: NDArray) -> None: ...
def scale_rows(
    V: NDArray, scale: NDArray, centre: NDArray, W: NDArray, mean: NDArray
) -> None: ...
def standardise_sums(
    sums: NDArray,
    first: NDArray,
    centre: NDArray,
    scale: NDArray,
    l2: NDArray,
    V: NDArray,
    sign: float,
    G: NDArray,
    penalty: NDArray,
) -> None: ...
