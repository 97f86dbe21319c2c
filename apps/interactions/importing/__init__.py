"""Events in the rows of a file, each with an id that is the same at the next import."""
