"""AlexNet (Krizhevsky 2014), torchvision's architecture: it judges, and never paints.

Its filters of 11×11 pixels at a stride of 4 make poor pictures. LPIPS was fitted to it as well, and
the content columns of published tables are those.
"""

from backbones.spec import Backbone, Layer
from backbones.weights import ALEXNET as COMPANION

# torchvision's index in `features`, the kind of module, its number, channels, stride and field.
_FEATURES = (
    (1, "relu", 1, 64, 4, 11),
    (2, "pool", 1, 64, 8, 19),
    (4, "relu", 2, 192, 8, 51),
    (5, "pool", 2, 192, 16, 67),
    (7, "relu", 3, 384, 16, 99),
    (9, "relu", 4, 256, 16, 131),
    (11, "relu", 5, 256, 16, 163),
)

ALEXNET = Backbone(
    name=COMPANION.name,
    description="AlexNet, for LPIPS and as a witness",
    build=COMPANION.build,
    layers=tuple(
        Layer(f"{kind}{number}", f"features.{index}", kind, channels, stride, field)
        for index, kind, number, channels, stride, field in _FEATURES
    ),
    content_layers={"relu3": 1.0},
    style_layers={f"relu{number}": 1.0 for number in range(1, 6)},
    weight_sets=COMPANION.weight_sets,
    structure_layer="relu4",
)
