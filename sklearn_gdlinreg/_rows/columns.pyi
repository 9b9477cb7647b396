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
