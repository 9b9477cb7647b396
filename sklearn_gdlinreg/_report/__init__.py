"""What is reported of a fit: its history, the model with its certificate, and displays."""
