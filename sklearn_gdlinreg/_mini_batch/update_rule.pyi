from numpy.typing import NDArray

class Rule:
    batch_size: int
    divisor: int
    proximal: bool
    positive: bool
    lazy: bool
    momentum: float
    penalty: float
    cautious: bool
    adaptive: bool
    nesterov: bool
    def __init__(
        self,
        batch_size: int,
        divisor: int = 0,
        proximal: bool = False,
        positive: bool = False,
        lazy: bool = False,
        cautious: bool = False,
        adaptive: bool = False,
        penalty: float = 0.0,
        momentum: float = 0.0,
        nesterov: bool = False,
    ) -> None: ...

def mean_length(
    running: NDArray, inverse: NDArray, total: float, centred: bool, density: NDArray
) -> float: ...
