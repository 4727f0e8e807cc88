"""Views of an output folder: gallery, contact sheet, manifest, inventory."""
