"""Adam whose rate falls: by default along a cosine, large strokes first, then the grain."""

from torch import Tensor
from torch.optim import Adam
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler

from nstcli.engine.picture_optimizer import PictureOptimizer
from nstcli.recipe import Recipe


def build(image: Tensor, steps: int, recipe: Recipe) -> PictureOptimizer:
    """Get ready to optimize pictures (N, 3, H, W) in so many steps."""
    rate = recipe.learning_rate
    optimizer = Adam([image], lr=rate, betas=(0.9, 0.99))
    schedule: LRScheduler
    if recipe.schedule == "drop":
        schedule = LambdaLR(optimizer, lambda step: 1 if step < 0.9 * steps else 1 / 30)
    else:
        schedule = CosineAnnealingLR(optimizer, steps, rate / 10)
    return PictureOptimizer(image, optimizer, schedule)
