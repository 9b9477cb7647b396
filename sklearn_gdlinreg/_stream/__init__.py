"""Exact streams: what has been learnt from all rows so far, and the model it gives."""
