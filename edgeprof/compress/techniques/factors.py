"""A kernel as a product of smaller ones: truncated SVD of a matrix, Tucker-2 (HOSVD) of a convolution's. Numpy only.

The approximation is the best of its rank for the SVD, and within a factor √2 of it for HOSVD.

Sources:
    SVD: C. Eckart and G. Young (1936), "The approximation of one matrix by another of lower rank", Psychometrika 1.
    Tucker-2: Y.-D. Kim et al. (2016), "Compression of Deep Convolutional Neural Networks for Fast and Low Power Mobile
        Applications", ICLR. HOSVD: L. De Lathauwer et al. (2000), SIAM J. Matrix Anal. Appl. 21(4).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Factors:
    """A kernel as a product of factors with a rank still to be chosen.

    Attributes:
        into: `(in, in)`: columns by which channels in are mixed, the most important first; for a matrix as many as
            the smaller side.
        core: What stands between: a matrix's singular values, or a kernel `(height, width, in, out)` of mixed channels.
        out: `(out, out)`: columns by which channels out are mixed back.
        energy_in: Squared singular values of the channels in, falling.
        energy_out: Of the channels out; the same for a matrix.
    """

    into: Matrix
    core: NDArray[np.float64]
    out: Matrix
    energy_in: Matrix
    energy_out: Matrix

    @property
    def is_matrix(self) -> bool:
        """It comes from the SVD of a matrix and has one rank instead of two."""
        return self.core.ndim == 1


def decompose(kernel: NDArray[np.float32]) -> Factors:
    """Return the factors of a Dense kernel `(in, out)` or a convolution's `(height, width, in, out)`."""
    values = kernel.astype(np.float64)
    height, width, channels, filters = (1, 1, *values.shape)[-4:]
    if height == width == 1:
        u, s, v = np.linalg.svd(values.reshape(channels, filters), full_matrices=False)
        return Factors(u, s, v.T, s**2, s**2)
    into, energy_in = _main_axes(np.moveaxis(values, 2, 0).reshape(channels, -1))
    out, energy_out = _main_axes(np.moveaxis(values, 3, 0).reshape(filters, -1))
    core = np.einsum("hwio,ia,ob->hwab", values, into, out)
    return Factors(into, core, out, energy_in, energy_out)


def ranks_for(factors: Factors, energy: float) -> tuple[int, ...]:
    """Return the least ranks that keep at least the share `energy` of the squared norm, along each side."""
    sides = (factors.energy_in,) if factors.is_matrix else (factors.energy_in, factors.energy_out)
    return tuple(_rank(side, energy) for side in sides)


def recomposed(factors: Factors, ranks: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the kernel that factors cut to `ranks` stand for: `(in, out)` or `(height, width, in, out)`."""
    a, b = ranks[0], ranks[-1]
    if factors.is_matrix:
        return np.asarray((factors.into[:, :a] * factors.core[:a]) @ factors.out[:, :a].T)
    return np.asarray(
        np.einsum("hwab,ia,ob->hwio", factors.core[:, :, :a, :b], factors.into[:, :a], factors.out[:, :b])
    )


def _main_axes(unfolded: Matrix) -> tuple[Matrix, Matrix]:
    """Return the left singular vectors of a matrix and its squared singular values, falling."""
    values, vectors = np.linalg.eigh(unfolded @ unfolded.T)
    return vectors[:, ::-1], np.maximum(values[::-1], 0)


def _rank(side: Matrix, energy: float) -> int:
    total = side.sum()
    if total <= 0:
        return 1
    return int(min(np.searchsorted(np.cumsum(side), energy * total * (1 - 1e-12)) + 1, len(side)))
