"""The model of the moments of all rows so far, with its certificate.

The data are not read: gradients, losses and the certificate are computed from moments, and the
certificate includes a bound on the rounding errors of the moments.
"""

import numpy as np

from .._problem.certificate import certificate_at, optimality
from .._problem.coordinates import Coordinates
from .._problem.metric import Plain
from .._problem.outputs import Group, Groups, alike
from .._problem.quadratic import MomentsAlone
from .._rows.moments import without_rounding
from .._solvers.conjugate import SMALL, exact_steps
from .._solvers.iterates import LEAST_TOL, Iterate, Solution


def groups_of(learnt, penalty):
    """Return the Groups of the outputs that have been observed, numbered among these.

    Parameters
    ----------
    learnt : Learnt
    penalty : Penalty, of all outputs
    """
    members, seen = [], learnt.observed
    for outputs, moments in learnt.members:
        if moments is None:
            continue
        marks = [penalty.smooth_outputs[None, outputs]] if penalty.has_l1 else []
        for part in alike(*marks) if marks else [slice(None)]:
            some = moments if isinstance(part, slice) else moments.of_outputs(part)
            chosen = outputs[part]
            own = penalty if len(chosen) == learnt.n_outputs else penalty.of_outputs(chosen)
            members.append(_group(np.searchsorted(seen, chosen), some, own))
    return Groups(members)


def _group(outputs, moments, penalty):
    """Return the Group of outputs with these Moments."""
    if moments.centred:
        frame = moments.shift, moments.unit, moments.roundoff
        variance = without_rounding(moments.variance, moments.mean, *frame)
        moments = moments._replace(variance=variance)
    coordinates = Coordinates.of(moments, penalty=penalty, raw=False)
    supplier = MomentsAlone(moments.products, coordinates, moments.rounding)
    metric = supplier.metric() if penalty.smooth else Plain()
    return Group(outputs, penalty, coordinates, None, supplier, metric, by_sets=True)


def descend(W, group, limits):
    """Descend a group of outputs from W, (M, D), by moments alone; a solver.

    In the metric of H, an exact step has length 1 and leads to the minimum, and a second step
    corrects rounding errors. If H may be singular, or the penalty is not smooth, the steps of
    `exact_steps` are made.
    """
    metric, supplier, coordinates = group.metric, group.passes, group.coordinates
    if metric.longest == 0.0:
        return (yield from exact_steps(W, group, limits))
    V = metric.direction(supplier.B)
    G, _ = supplier.gradient(V)
    correction = metric.direction(G)
    if not np.linalg.norm(correction) <= SMALL * np.linalg.norm(V):
        return (yield from exact_steps(W, group, limits))
    V += correction
    G, losses = supplier.gradient(V)
    loss, model = float(losses @ coordinates.loss_unit), coordinates.to_model(V)
    yield Iterate(loss, lambda: model)
    certificate = certificate_at(V, G, losses, coordinates, supplier)
    found, enough = certificate.optimality, max(limits.tol, LEAST_TOL)
    if not found.max() <= enough:
        # Only the bound on rounding errors may be above tol.
        found = optimality(V, G, losses, coordinates)
    reason = "tol" if found.max() <= enough else "precision"
    step = np.full(losses.shape, 0.5)
    return Solution(*model, loss, step, 1, reason, supplier.name, certificate)
