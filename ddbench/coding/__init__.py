"""How the rows of a leaf are written together, without loss: what a coder is, and one for indices on a grid."""
