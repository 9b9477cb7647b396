"""Full-batch solvers: conjugate and proximal steps, and the textbook's gradient descent."""
