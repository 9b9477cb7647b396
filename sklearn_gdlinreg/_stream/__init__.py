"""Exact streams: the moments of all rows so far, and the model that they give."""
