"""Terms of the loss. A term is unweighted and knows neither its weight nor its layer.

Each term is a table from convention (`--loss`) to a plain function `(x, target) -> (N,)`: one
non-negative number per picture of the batch. `x` is what the term looks at: the activations of
one layer for `content` and `style`, the picture itself for `tv`.
"""

from collections.abc import Callable, Mapping

from torch import Tensor

from nstcli.engine.losses.content import CONTENT
from nstcli.engine.losses.style import STYLE, gram
from nstcli.engine.losses.target import Target
from nstcli.engine.losses.tv import TV

Term = Callable[[Tensor, Target], Tensor]

TERMS: Mapping[str, Mapping[str, Term]] = {"content": CONTENT, "style": STYLE, "tv": TV}

__all__ = ["TERMS", "Target", "Term", "gram"]
