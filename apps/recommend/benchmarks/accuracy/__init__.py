"""How accurate algorithms and their blend are on a split published as two files; needs no database."""
