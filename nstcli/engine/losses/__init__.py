"""Terms of the loss: a module each, which `nstcli.terms.TERMS` names, and what they share.

A term is unweighted and knows neither its weight nor its layers. Its module has two names:

* `STATISTIC`: what it looks at, a function of the activations of one layer, or of the picture;
  the distances of a local one heed the weights of their target, if there is one, and are sums
  over positions: what they divide by is the target's, so that those of tiles sum to the whole's;
* `DISTANCES`: by convention (`--loss`) or norm, plain functions of that statistic and its
  target, which return one number per picture of the batch, (N,), and not less than 0.

A new term is such a module and a row of `TERMS`.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module

from torch import Tensor

from nstcli.engine.losses.statistics import (
    DIFFERENCES,
    DIFFERENCES_AROUND,
    FEATURES,
    GRAM,
    Statistic,
)
from nstcli.engine.losses.target import Target
from nstcli.terms import TERMS

# (statistic of the pictures, with the batch first; target) -> (N,).
Distance = Callable[[Tensor, Target], Tensor]

__all__ = [
    "DIFFERENCES",
    "DIFFERENCES_AROUND",
    "FEATURES",
    "GRAM",
    "Distance",
    "Statistic",
    "Target",
    "distances_of",
    "statistic_of",
]


@cache
def statistic_of(term: str) -> Statistic:
    """Return what a term of the table looks at."""
    found: Statistic = import_module(TERMS[term].module).STATISTIC
    return found


@cache
def distances_of(term: str) -> Mapping[str, Distance]:
    """Return the distances of a term of the table, by convention or norm."""
    found: Mapping[str, Distance] = import_module(TERMS[term].module).DISTANCES
    return found
