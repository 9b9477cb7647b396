"""The user's input: parameters, checks of X and y, and the checked data."""
