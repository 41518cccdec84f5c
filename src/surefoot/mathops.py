"""The mathematical functions of rules, for any kind of array.

A rule imports `sqrt`, `maximum`, `minimum`, `clip`, `absolute`, `sign`, `atan2`, `where`, the sums `total`, `mean` and
`total_all`, for matrices `rows`, `cols`, `transpose`, `orthogonalize` and `eigenbasis`, and `every` from here and
nothing from a framework, so the same text runs on Python floats, NumPy arrays, tensors of torch and TensorFlow, jax
arrays and the compiler's symbols. No framework is imported: the argument's type tells which one is in use, and that one
was imported when the array was made. On Python floats (values that depend only on hyperparameters and
the step count) the arithmetic is float64.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from surefoot.arrays import Array as Array  # rules take it from here
from surefoot.arrays import are_numbers, cast, dtype_name, either, namespace_of
from surefoot.errors import UsageError

_GRADIENT: ContextVar[Array] = ContextVar("gradient", default=0.0)
"""The gradient of the running rule. `where` between two numbers takes its precision from it."""


class Shards(NamedTuple):
    """The whole tensor of which the rule that runs sees a shard.

    Attributes:
        size: its weights.
        add: adds a sum over this shard to those of the other shards.
    """

    size: int
    add: Callable[[Array], Array]


_SHARDS: ContextVar[Shards | None] = ContextVar("shards", default=None)


@contextmanager
def shards_of(whole: Shards) -> Iterator[None]:
    """Let `total`, `mean` and `size` be those of the whole tensor inside."""
    before = _SHARDS.set(whole)
    try:
        yield
    finally:
        _SHARDS.reset(before)


@contextmanager
def precision_of(gradient: Array) -> Iterator[None]:
    """Let `where` make numbers of the gradient's kind inside."""
    before = _GRADIENT.set(gradient)
    try:
        yield
    finally:
        _GRADIENT.reset(before)


def gradient() -> Array:
    """Return what the rule that runs computes on."""
    return _GRADIENT.get()


def sqrt(x: Array) -> Array:
    """Return the square root, element by element."""
    if isinstance(x, int | float):
        return math.sqrt(x)
    return namespace_of(x).sqrt(x)


def maximum(a: Array, b: Array) -> Array:
    """Return the larger of two arrays, element by element; NaN wins."""
    if isinstance(a, int | float):
        a, b = b, a
    return clip(a, b, None) if isinstance(b, int | float) else namespace_of(a, b).maximum(a, b)


def minimum(a: Array, b: Array) -> Array:
    """Return the smaller of two arrays, element by element; NaN wins."""
    if isinstance(a, int | float):
        a, b = b, a
    return clip(a, None, b) if isinstance(b, int | float) else namespace_of(a, b).minimum(a, b)


def clip(x: Array, low: Array | None, high: Array | None) -> Array:
    """Return `x` moved into [low, high], element by element; None leaves that side open, NaN stays NaN."""
    clipped = namespace_of(x, low, high).clip(x, low, high)
    return float(clipped) if are_numbers(x, *(end for end in (low, high) if end is not None)) else clipped


def expm1(x: Array) -> Array:
    """Return exp(x) - 1 with all digits near 0, element by element. For `number.py`, not for rules."""
    return namespace_of(x).expm1(x)


def log(x: Array) -> Array:
    """Return the natural logarithm, element by element; for `number.py`, not for rules."""
    return namespace_of(x).log(x)


def where(condition: Array, a: Array, b: Array) -> Array:
    """Return `a` where the condition holds and `b` elsewhere: the `if` of a rule that looks at values."""
    if isinstance(condition, bool):
        return a if condition else b
    namespace, gradient = namespace_of(condition, a, b), _GRADIENT.get()
    if are_numbers(a, b) and not are_numbers(gradient) and not hasattr(condition, "__mathops__"):
        like = _like(gradient)
        a, b = namespace.full_like(like, a), namespace.full_like(like, b)
    return namespace.where(condition, a, b)


def _like(gradient: Array) -> Array:
    """Return what two numbers take their precision, and in one tensor their shape, from."""
    if hasattr(gradient, "members"):  # of all tensors: a number has the shape of none
        return total(gradient.members[0])
    return gradient.real if hasattr(gradient, "__mathops__") else gradient  # of a complex one


def sign(x: Array) -> Array:
    """Return 1 above 0, -1 below, 0 at 0, element by element; NaN stays NaN."""
    if are_numbers(x):
        return x if x != x else float(x > 0) - float(x < 0)
    namespace = namespace_of(x)
    if hasattr(x, "isnan"):  # torch's own makes 0 of NaN
        return namespace.where(x.isnan(), x, x.sign())
    return namespace.sign(x)


def absolute(x: Array) -> Array:
    """Return the size without the sign, element by element."""
    return abs(x)


def atan2(y: Array, x: Array) -> Array:
    """Return the angle of the point (x, y) in radians, from -pi to pi, element by element; 0 at the origin.

    It is a quotient's arc tangent that needs no `eps`. Compiled kernels and NumPy may differ in its last digits.
    """
    if are_numbers(y, x):
        return math.atan2(y, x)
    namespace = namespace_of(y, x)
    if hasattr(y, "__mathops__") or hasattr(x, "__mathops__"):  # symbols, a schedule's numbers, complex weights
        return namespace.atan2(y, x)
    if are_numbers(y) or are_numbers(x):  # of which torch and TensorFlow ask for an array
        y, x = (namespace.full_like(x, y), x) if are_numbers(y) else (y, namespace.full_like(y, x))
    return namespace.arctan2(y, x)


def freedom(t: Array, beta: Array) -> Array:
    """Return the degrees of freedom of a mean that keeps `beta` of itself each step, after `t` steps."""
    if hasattr(t, "freedom"):  # a count, in float32 perhaps, of which the difference would keep three digits
        return t.freedom(beta)
    return 2 / (1 - beta) - 1 - 2 * t * beta**t / (1 - beta**t)


def total(x: Array) -> Array:
    """Return the sum over a whole tensor, added in float64: what a rule that looks at norms is made of.

    All weights of one parameter then depend on each other; a rule that can do without should. The sum is a number: what
    is computed of such sums alone is float64, as if it were a hyperparameter.
    """
    if isinstance(x, int | float):
        return x
    namespace = namespace_of(x)
    if hasattr(namespace, "total"):
        return namespace.total(x)
    if namespace.__name__ == "jax.numpy":  # which has float64 only where it is enabled
        return namespace.sum(x, dtype=namespace.result_type(float)).astype(x.dtype)
    summed, shards = namespace.sum(x, dtype=namespace.float64), _SHARDS.get()
    if not hasattr(summed, "requires_grad"):
        return float(summed)
    return summed if shards is None else shards.add(summed)  # of no dimension: an array beside it keeps its precision


def total_all(x: Array) -> Array:
    """Return the sum over all tensors of the optimizer, added in float64: for what is one number for all of them.

    On NumPy a single array is all there is.

    Raises:
        UsageError: the rule runs on one tensor of several.
    """
    if isinstance(x, int | float):
        return x
    namespace = namespace_of(x)
    if hasattr(namespace, "total_all"):
        return namespace.total_all(x)
    if namespace is not sys.modules["numpy"]:
        raise UsageError(
            "the rule adds up over all tensors of the optimizer (total_all), and runs on one of them. Compiled kernels "
            "can do it, on dense or strided tensors: engine='cpu' or engine='gpu', not capturable or differentiable."
        )
    return total(x)


def size(x: Array) -> Array:
    """Return how many weights the whole tensor has, a number; at least 1, so that the mean of none is 0."""
    if isinstance(x, int | float):
        return 1.0
    if hasattr(x, "__mathops__"):
        return x.__mathops__().size(x)
    shards = _SHARDS.get()
    return float(max(1, math.prod(x.shape) if shards is None else shards.size))


def mean(x: Array, axis: int | None = None) -> Array:
    """Return the mean over a whole tensor, from a sum in float64: see `total`.

    Args:
        x: an array; with an axis a matrix.
        axis: 1 for the mean of each row, of shape (rows, 1); 0 for that of each column, of shape (1, columns).
    """
    if axis is None:
        return total(x) / size(x)
    return namespace_of(x).mean(x, axis, keepdims=True)


def rows(x: Array) -> Array:
    """Return how many rows a matrix has, a number: its outputs."""
    return x.__mathops__().rows(x) if hasattr(x, "__mathops__") else float(x.shape[0])


def cols(x: Array) -> Array:
    """Return how many columns a matrix has, a number: its inputs."""
    return x.__mathops__().cols(x) if hasattr(x, "__mathops__") else float(x.shape[1])


def transpose(x: Array) -> Array:
    """Return a matrix whose rows are the columns of this one."""
    namespace = namespace_of(x)
    return x.T if hasattr(x, "T") else namespace.transpose(x)


def orthogonalize(
    x: Array,
    coefficients: Sequence[tuple[float, float, float]],
    eps: float,
    *,
    floor: bool = False,
    products: str | None = None,
) -> Array:
    """Return a matrix with the same singular vectors whose singular values are all near 1.

    It divides the matrix by its length, then lets an odd polynomial of degree five act on its singular values once for
    each three coefficients: by products of matrices alone (Newton and Schulz). It looks at a whole matrix; a zero one
    stays zero.

    Args:
        x: a matrix.
        coefficients: of each polynomial those of x, x^3 and x^5 (`rules/polynomials.py`).
        eps: is added to the length; a number.
        floor: the length is at least eps, and eps is not added.
        products: the kind of number of all of it, such as `bfloat16`; as the matrix, by default.
    """
    if hasattr(x, "__mathops__"):
        return x.__mathops__().orthogonalize(x, coefficients, eps, floor=floor, products=products)
    made = drawn_to_one(of_length_one(x, eps, floor=floor, products=products), coefficients)
    return made if products is None else cast(made, dtype_name(x))


def of_length_one(x: Array, eps: float, *, floor: bool, products: str | None) -> Array:
    """Return a matrix divided by its length, for `orthogonalize`."""
    namespace = namespace_of(x)
    length = _length_in_torch(x) if hasattr(namespace, "addmm") else sqrt(total(x * x))
    return (x if products is None else cast(x, products)) / (maximum(length, eps) if floor else length + eps)


def _length_in_torch(x: Array) -> Array:
    """Return a matrix's length in float64.

    torch's norm writes no squares. To take one in float64 it copies what is shorter, at the price of a product. So rows
    of a few thousand numbers are measured in float32, unless squares may leave its range, and joined in float64.
    """
    torch = namespace_of(x)
    norm = torch.linalg.vector_norm
    if x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16) and x.shape[1] <= _SHORT:
        length = norm(norm(x, dim=1, dtype=torch.float32), dtype=torch.float64)
        if _SQUARED[0] < length < _SQUARED[1]:
            return length
    return norm(x, dtype=torch.float64)


_SHORT = 8192
"""Numbers of which float32 adds the squares up in six digits."""

_SQUARED = (1e-12, 1e12)
"""Lengths whose squares float32 holds, and those of their parts."""


def drawn_to_one(x: Array, coefficients: Sequence[tuple[float, float, float]]) -> Array:
    """Return the result of the polynomials on a matrix or each of a stack: see `orthogonalize`."""
    namespace, wide = namespace_of(x), x.shape[-2] <= x.shape[-1]
    plus_product = getattr(namespace, "baddbmm" if len(x.shape) == 3 else "addmm", None)
    x = x if wide else turned(x)
    for a, b, c in coefficients:
        gram = x @ turned(x)
        if plus_product is None:
            x = a * x + (b * gram + c * (gram @ gram)) @ x
        else:  # torch's, which adds within the product
            x = plus_product(x, plus_product(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if wide else turned(x)


def turned(x: Array) -> Array:
    """Return the transpose of a matrix, or of each in a stack."""
    return x.swapaxes(-1, -2) if hasattr(x, "swapaxes") else namespace_of(x).matrix_transpose(x)


def stacked(matrices: Sequence[Array]) -> Array:
    """Return matrices of one shape as a stack, which is indexed by their number."""
    return namespace_of(*matrices).stack(matrices)


def eigenbasis(x: Array, basis: Array) -> Array:
    """Return a basis nearer to a matrix's eigenvectors, or, of a basis of zeros, the eigenvectors themselves.

    Nearer is one product and one QR decomposition, the largest eigenvalue first; each column keeps its place. The first
    basis has the largest eigenvalue first. Where the matrix is zero, any vectors are eigenvectors, and machines differ:
    there the first basis is that of `diag(1, sqrt(2), sqrt(3), ...)` as seen from within, and a later one is left to
    rounding. Signs make each column's entries, times these numbers, add up to more than 0. Where the matrix is no
    number, nor is the basis.

    Args:
        x: a symmetric matrix without negative eigenvalues: a sum of products `g @ g.T`.
        basis: orthogonal, or zero.
    """
    if hasattr(x, "__mathops__"):
        return x.__mathops__().eigenbasis(x, basis)
    namespace = namespace_of(x)
    known = namespace.isfinite(namespace.sum(x))  # of what is no number LAPACK raises

    def found() -> Array:
        return either(namespace.any(basis != 0), lambda: _nearer(x, basis), lambda: _eigenvectors(x))

    return either(known, found, lambda: x * math.nan)


def _nearer(x: Array, basis: Array) -> Array:
    namespace, turned = namespace_of(x), x @ basis
    order = namespace.argsort(-namespace.sum(basis * turned, 0), stable=True)
    made, _ = namespace.linalg.qr(_columns(turned, order))
    return _signed(_columns(made, namespace.argsort(order)))


def _eigenvectors(x: Array) -> Array:
    namespace = namespace_of(x)
    values, vectors = namespace.linalg.eigh(x)  # the smallest first; rounding leaves a unit or two of the largest
    known = values > (2.0**-49 if dtype_name(x) == "float64" else 2.0**-20) * values[-1:]
    zero = namespace.where(known, 0 * vectors, vectors)
    onto_zero = zero @ transpose(zero)
    _, others = namespace.linalg.eigh(onto_zero @ (_counted(x) * onto_zero))  # those within what is zero last
    return _signed(namespace.where(namespace.flip(known, (0,)), namespace.flip(vectors, (1,)), others))


def _signed(basis: Array) -> Array:
    namespace = namespace_of(basis)
    return namespace.where(namespace.sum(_counted(basis) * basis, 0) < 0, -basis, basis)


def _counted(x: Array) -> Array:
    """Return a matrix of this shape with the root of its number in each row."""
    namespace = namespace_of(x)
    return namespace.sqrt(namespace.cumsum(namespace.ones_like(x), 0))


def _columns(x: Array, order: Array) -> Array:
    namespace = namespace_of(x)
    return namespace.index_select(x, 1, order) if hasattr(namespace, "index_select") else namespace.take(x, order, 1)


def every(period: Array, count: Array, new: Callable[[], Array], old: Array) -> Array:
    """Return `new()` where the count is a multiple of the period, else `old`: what is not due is not computed.

    Args:
        period: steps from one computation to the next.
        count: steps so far, of which 0 is due.
        new: computes an array of the kind and shape of `old`.
        old: what stays.
    """
    if hasattr(old, "__mathops__"):
        return old.__mathops__().every(period, count, new, old)
    return either(count % period == 0, new, lambda: old)
