"""Print the coefficients of ``engine/simd/tanh.h``, which sigma takes too: ``pip install mpmath``, then run this.

They are those of the polynomial that meets (e^r - 1 - r - r^2/2) / r^3 at Chebyshev's points of |r| <= 1.01 ln(2)/2,
the range of r and a little more for its own rounding.
"""

from mpmath import cos, e, log, lu_solve, matrix, mp, mpf, pi
from numpy import array, float32, int32

DOUBLE_TERMS = 11
# Of float32's coefficients, in units in the last place: with these neighbours of theirs the largest error of tanh over
# all floats is 0.54 units. They were found by trying, which this program does not repeat.
FLOAT_MOVES = [1, -20, -200, 3000, 0]


def interpolation(terms: int) -> list[mpf]:
    """The coefficients, the constant first."""
    mp.dps = 60
    points = [mpf("1.01") * log(2) / 2 * cos(pi * (2 * k + 1) / (2 * terms)) for k in range(terms)]
    powers = matrix([[r**power for power in range(terms)] for r in points])
    # at 0, where the quotient cannot be taken, it is 1/6
    values = matrix([(e**r - 1 - r - r**2 / 2) / r**3 if abs(r) > 1e-30 else mpf(1) / 6 for r in points])
    return list(lu_solve(powers, values))


def of_double() -> list[float]:
    return [float(c) for c in interpolation(DOUBLE_TERMS)]


def of_float() -> list[float]:
    nearest = array([float(c) for c in interpolation(len(FLOAT_MOVES))], float32)
    moved: list[float] = (nearest.view(int32) + array(FLOAT_MOVES, int32)).view(float32).tolist()
    return moved


if __name__ == "__main__":
    print("float:", ", ".join(f"{c!r}f" for c in of_float()))
    print("double:", ", ".join(map(repr, of_double())))
