from numpy.typing import NDArray

def products_of_sparse_columns(
    data: NDArray,
    indices: NDArray,
    indptr: NDArray,
    weight: NDArray,
    columns: NDArray,
    mean: NDArray,
    scale: NDArray,
    total: float,
    end: NDArray,
    place: NDArray,
    value: NDArray,
    out: NDArray,
) -> None: ...
def add_columns_dense(
    X: NDArray,
    Y: NDArray,
    weight: NDArray,
    shift: NDArray,
    unit: NDArray,
    z: NDArray,
    sums: NDArray,
    filled: NDArray,
    start: int,
    stop: int,
) -> None: ...
def has_repeated_entries(indices: NDArray, indptr: NDArray, last: NDArray) -> bool: ...
def add_filled_sparse(
    data: NDArray,
    indices: NDArray,
    indptr: NDArray,
    weight: NDArray,
    stored: bool,
    filled: NDArray,
) -> None: ...
