"""Reports of a fit: its history, the model with its certificate, and displays."""
