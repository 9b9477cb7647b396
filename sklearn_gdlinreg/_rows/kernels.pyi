from numpy.typing import NDArray

def add_moments_dense(
    X: NDArray,
    Y: NDArray,
    root_weight: NDArray,
    shift: NDArray,
    unit: NDArray,
    block: NDArray,
    gram: NDArray,
    total: NDArray,
    all_pairs: bool,
    start: int,
    stop: int,
) -> None: ...
def add_moments_sparse(
    data: NDArray,
    indices: NDArray,
    indptr: NDArray,
    Y: NDArray,
    weight: NDArray,
    offset: NDArray,
    gram: NDArray,
    cross: NDArray,
    start: int,
    stop: int,
) -> None: ...
def add_residual_dense(
    X: NDArray,
    Y: NDArray,
    weight: NDArray,
    shift: NDArray,
    V: NDArray,
    offset: NDArray,
    block: NDArray,
    residual: NDArray,
    gradient: NDArray,
    sums: NDArray,
    start: int,
    stop: int,
) -> None: ...
def add_residual_sparse(
    data: NDArray,
    indices: NDArray,
    indptr: NDArray,
    Y: NDArray,
    weight: NDArray,
    V: NDArray,
    offset: NDArray,
    residual: NDArray,
    sums: NDArray,
    start: int,
    stop: int,
) -> None: ...
def add_gradient_sparse(
    data: NDArray,
    indices: NDArray,
    indptr: NDArray,
    residual: NDArray,
    gradient: NDArray,
    start: int,
    stop: int,
) -> None: ...
def gather_gradient_sparse(
    data: NDArray,
    indices: NDArray,
    indptr: NDArray,
    residual: NDArray,
    gradient: NDArray,
    start: int,
    stop: int,
) -> None: ...
def square_lengths_dense(
    X: NDArray,
    centre: NDArray,
    inverse: NDArray,
    out: NDArray,
    start: int,
    stop: int,
) -> None: ...
def square_lengths_sparse(
    data: NDArray,
    indices: NDArray,
    indptr: NDArray,
    centre: NDArray,
    inverse: NDArray,
    zeros: NDArray,
    empty: float,
    out: NDArray,
    start: int,
    stop: int,
) -> None: ...
def pack_upper(A: NDArray, triangle: NDArray) -> None: ...
def unpack_upper(triangle: NDArray, A: NDArray) -> None: ...
def mirror(A: NDArray) -> None: ...
