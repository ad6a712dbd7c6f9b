"""Files of programs, edited so that they lead to a forward; all else in them stays as it is."""
