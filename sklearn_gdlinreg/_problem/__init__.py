"""The problem that data and parameters pose: loss, penalty, moments, certificate."""
