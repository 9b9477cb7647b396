# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""How a batch moves the model, whatever holds its rows.

Conventions
-----------
N rows, M features, D outputs, B rows a batch. The compiled epochs take ``rows``, the rows to
visit, batch by batch, and ``weight``, what each visit counts. A batch moves the model by::

    r = weight * (prediction - y)
    W <- W - step * (z' r / divisor + shrink * W)

The steps are one a batch and already hold the factor 2 of the gradient. Kernels take all
buffers from the caller, allocate nothing and raise nothing.
"""


cdef class Rule:
    """How a batch moves the model.

    Parameters
    ----------
    batch_size : int, B
    divisor : int
        What sums over a batch are divided by; 0 for the number of its rows.
    shrink : float
        The L2 penalty in the units of X; each batch takes off ``step * shrink * W``.
    period : int
        Every so many batches, a proximal step of the caller's ``ridge`` is taken; 0: never.
    cautious : bool
        Whether a step that would overshoot the batch's own minimum by more than it gains
        is replaced by the one that ends there, output by output.
    adaptive : bool
        Whether each batch first joins the caller's running moments, and the features that
        are not zero in it get the centre and scale that follow, with this ``penalty``. The
        model stays; its coordinates change.
    penalty : float
    momentum : float
    nesterov : bool
    """

    def __init__(
        self, *, batch_size, divisor=0, shrink=0.0, period=0, cautious=False,
        adaptive=False, penalty=0.0, momentum=0.0, nesterov=False,
    ):
        self.batch_size, self.divisor, self.period = batch_size, divisor, period
        self.shrink, self.penalty, self.momentum = shrink, penalty, momentum
        self.cautious, self.adaptive, self.nesterov = cautious, adaptive, nesterov


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
