from numpy.typing import NDArray

class Rule:
    batch_size: int
    divisor: int
    proximal: bool
    positive: bool
    lazy: bool
    momentum: float
    least_l2: float
    cautious: bool
    running: bool
    nesterov: bool
    def __init__(
        self,
        batch_size: int,
        divisor: int = 0,
        proximal: bool = False,
        positive: bool = False,
        lazy: bool = False,
        cautious: bool = False,
        running: bool = False,
        least_l2: float = 0.0,
        momentum: float = 0.0,
        nesterov: bool = False,
    ) -> None: ...

def mean_length(
    running: NDArray, inverse: NDArray, total: float, centred: bool, density: NDArray
) -> float: ...
