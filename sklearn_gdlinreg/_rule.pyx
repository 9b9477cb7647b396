# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""How a batch moves the model, whatever holds its rows.

Conventions
-----------
N rows, M features, D outputs, B rows a batch. The compiled epochs take ``rows``, the rows to
visit, batch by batch, and ``weight``, what each visit counts. A batch moves the model by::

    r = weight * (prediction - y)
    W <- W - step * (z' r / divisor + shrink * W)

and then by a proximal step of the penalty, if any is due. The penalty comes as three numbers
an output, (3, D): ``shrink``, in the units of X; and, in those of the coefficients, what is
left to the proximal step, ``l1`` and ``l2``. The steps are one a batch and already hold the
factor 2 of the gradient. Kernels take all buffers from the caller, allocate nothing and
raise nothing.
"""


cdef class Rule:
    """How a batch moves the model.

    Parameters
    ----------
    batch_size : int, B
    divisor : int
        What sums over a batch are divided by; 0 for the number of its rows.
    period : int
        Every so many batches, a proximal step of the caller's penalty is taken; 0: never.
    positive : bool
        Whether that step also ends at no negative coefficient.
    lazy : bool
        Whether CSR takes it after each batch coefficient by coefficient, when next needed,
        and not all at once; the sum of iterates is not kept then.
    cautious : bool
        Whether a step that would overshoot the batch's own minimum by more than it gains
        is replaced by the one that ends there, output by output.
    adaptive : bool
        Whether each batch first joins the caller's running moments, and the features that
        are not zero in it get the centre and scale that follow, with this ``penalty``. The
        model stays; its coordinates change.
    penalty : float
        The least L2 penalty of an output.
    momentum : float
    nesterov : bool
    """

    def __init__(
        self, batch_size, divisor=0, period=0, positive=False, lazy=False,
        cautious=False, adaptive=False, penalty=0.0, momentum=0.0, nesterov=False,
    ):
        self.batch_size, self.divisor, self.period = batch_size, divisor, period
        self.positive, self.lazy, self.cautious = positive, lazy, cautious
        self.adaptive, self.penalty = adaptive, penalty
        self.momentum, self.nesterov = momentum, nesterov

    def __reduce__(self):
        """Return how to make it again: skops knows no other way into a compiled object."""
        return Rule, (
            self.batch_size, self.divisor, self.period, self.positive, self.lazy, self.cautious,
            self.adaptive, self.penalty, self.momentum, self.nesterov,
        )


def mean_length(
    const double[:, ::1] seen,     # IN   (M, 3)
    const double[::1] inverse,     # IN   (M,)
    double total,                  # IN
    bint centred,                  # IN
):
    """Return the mean squared length of the rows seen, in the frame of these scales."""
    cdef double length = 0
    cdef Py_ssize_t j
    with nogil:
        for j in range(seen.shape[0]):
            if seen[j, 0] > 0:
                length += spread(&seen[j, 0], total, centred) * inverse[j] ** 2
    return length
