"""Stochastic gradient descent in mini-batches, over rows that stay and over streams."""
