"""Labels made by known rules, and who learns them: ``python -m benchmarks.rules FOLDER``.

FOLDER contains the weekly files of dunnhumby's "Let's Get Sort-of-Real". Each row of the table is
one data set: real lines with their own labels or with labels made by another rule, or generated
lines. Basketwise and three other methods learn it from the same training baskets and are scored on
the same later weeks.

:mod:`~benchmarks.rules.rows` lists the rows; :mod:`~benchmarks.rules.lines` reads the files,
:mod:`~benchmarks.rules.labels` has the rules that make labels, :mod:`~benchmarks.rules.lgsr`,
:mod:`~benchmarks.rules.changes` and :mod:`~benchmarks.rules.journey` make the data sets,
:mod:`~benchmarks.rules.split` prepares them for the peers, :mod:`~benchmarks.rules.peers` are the
other methods, and :mod:`~benchmarks.rules.product` runs Basketwise.
"""
