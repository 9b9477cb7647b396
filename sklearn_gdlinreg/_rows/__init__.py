"""The rows of a dataset as they are stored: a class per container, and compiled passes."""
