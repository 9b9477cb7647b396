"""What users give: parameters, checks of X and y, and the dataset they become."""
