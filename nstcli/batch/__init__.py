"""Batches: plan the product of contents and styles, make each pair once, record what is done."""
