# cython: language_level=3, boundscheck=False, wraparound=False
# cython: initializedcheck=False, cdivision=True
"""How a batch moves the model, whatever holds its rows.

Conventions
-----------
N rows, M features, D outputs, B rows a batch. The compiled epochs take ``rows``, the rows to
visit, batch by batch, and ``weight``, what each visit counts. A batch moves the model by::

    r = weight * (prediction - y)
    W <- W - step * (z' r / divisor + shrink * W)

and then by a proximal step of the penalty, if it has one. The penalty comes as three numbers
for each output, (3, D): ``shrink``, in the units of X; and, in those of the coefficients, what
is left to the proximal step, ``l1`` and ``l2``. Where features are not alike ``of_features``,
(M, 2), holds what the three are multiplied by for each feature, and whether its coefficients may
not be negative; else it has no rows. There is one step size for each batch, which already holds
the factor 2 of the gradient.

To shrink all coefficients after each batch would take O(M) even where a batch holds few
features. Automatic steps therefore penalise the coefficient of a rare feature by rows. With
``density_j`` the share of the weight of all rows in which feature j is not zero,
``l2 * W_j ** 2`` is the mean over rows of ``l2 / density_j * W_j ** 2`` where x_j is not zero,
and of 0 elsewhere: like the squared error it is a sum over rows, of which a batch takes its
own. Such a feature is not centred, so that only the batches that hold it move its coefficient,
and the mean of the iterates is where it would be if every batch were penalised. Features are
common if a batch holds them often enough; there are at most a few times as many as a batch
has entries. Kernels take all buffers from the caller, allocate nothing and
raise nothing but KeyboardInterrupt, in the middle of a batch: the model is then lost.
"""


cdef class Rule:
    """How a batch moves the model.

    Parameters
    ----------
    batch_size : int, B
    divisor : int
        What sums over a batch are divided by; 0 for the number of its rows.
    proximal : bool
        Whether each batch ends with a proximal step of the caller's penalty.
    positive : bool
        Whether that step also ends at no negative coefficient; of all features, or of those
        of which the caller says so.
    lazy : bool
        Whether CSR takes the step of the textbook's update coefficient by coefficient, when
        next needed, and not all at once; the sum of iterates is not kept then.
    cautious : bool
        Whether a step that would overshoot the batch's own minimum by more than it gains
        is replaced by the one that ends there, output by output.
    running : bool
        Whether each batch first joins the caller's running moments, and the features that
        are not zero in it get the centre and scale that follow, with ``least_l2`` times
        their factor. The model stays; its coordinates change.
    least_l2 : float
        The least L2 penalty of an output; that of a feature whose factor is 1.
    momentum : float
    nesterov : bool
    """

    def __init__(
        self, batch_size, divisor=0, proximal=False, positive=False, lazy=False,
        cautious=False, running=False, least_l2=0.0, momentum=0.0, nesterov=False,
    ):
        self.batch_size, self.divisor, self.least_l2 = batch_size, divisor, least_l2
        self.proximal, self.positive, self.lazy = proximal, positive, lazy
        self.cautious, self.running = cautious, running
        self.momentum, self.nesterov = momentum, nesterov

    def __reduce__(self):
        """Return how to make it again: skops knows no other way into a compiled object."""
        return Rule, (
            self.batch_size, self.divisor, self.proximal, self.positive, self.lazy,
            self.cautious, self.running, self.least_l2, self.momentum, self.nesterov,
        )


def mean_length(
    const double[:, ::1] running,  # IN   (M, 3)
    const double[::1] inverse,     # IN   (M,)
    double total,                  # IN
    bint centred,                  # IN
    const double[::1] density,     # IN   (M,), not 0 of features that are not centred; or (0,)
):
    """Return the mean squared length of the rows seen, in the coordinates of these scales."""
    cdef double length = 0
    cdef Py_ssize_t j
    cdef bint about_mean
    with nogil:
        for j in range(running.shape[0]):
            if running[j, 0] > 0:
                about_mean = centred and not (density.shape[0] and density[j] > 0)
                length += spread(&running[j, 0], total, about_mean) * inverse[j] ** 2
    return length
