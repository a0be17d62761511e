"""Publishing: which files of a folder go, what is private in them, and the places they can go to. torch-free."""
