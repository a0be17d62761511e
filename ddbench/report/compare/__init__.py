"""`ddbench compare`: two selections of results, paired where they met the same draws. torch-free."""
