"""Who judges whom. Importing this does not import torch."""


def judge_of(model: str) -> str:
    """Return the name of the backbone that judges the pictures of another by default.

    Never the same one: an optimizer finds what its own network overlooks. VGG-16 judges all, as
    it is LPIPS's network, too, and so costs nothing more; VGG-19 judges VGG-16.
    """
    return "vgg19" if model == "vgg16" else "vgg16"
