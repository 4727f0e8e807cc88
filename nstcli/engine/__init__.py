"""The optimization itself: tensors in, tensors out; no paths, no printing."""
