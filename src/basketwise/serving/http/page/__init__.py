"""A page for people: paste till lines, see class, probabilities, and which products decided."""
