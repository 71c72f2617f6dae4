"""Scoring few baskets without data frames, to the same bits.

A query over a frame takes longer to start than the lines of one basket take to score. So plain
input is scored by Python and NumPy here, in four steps: :mod:`.plain` types the values,
:mod:`.judging` refuses and sorts the lines, :mod:`.sums` computes the features, and
:mod:`.answering` puts them together. Every rule stands a second time here, so this is no second
truth: what is not plain is left to the frames, and a test holds the answers to theirs, bit by bit.
"""
