"""Submissions: results of others, checked against their files, against each other and against what was there before."""
