"""The leaderboard: a folder of results as tables to read and pages to check, without a server. torch-free."""
