"""Made-up till lines in the shape of dunnhumby's files, to try Basketwise on without any data.

:mod:`~basketwise.sampling.catalogue` makes up the products, :mod:`~basketwise.sampling.shops` the
shops and customers, :mod:`~basketwise.sampling.labels` says how a basket gets its label,
:mod:`~basketwise.sampling.weeks` draws one week of lines, put together from
:mod:`~basketwise.sampling.tables` whose rows many lines share,
:mod:`~basketwise.sampling.drawing` draws all of them, and :mod:`~basketwise.sampling.writing` puts
the weeks into files.
"""

from basketwise.sampling.drawing import draw_lines
from basketwise.sampling.writing import SampleSummary, generate

__all__ = ["SampleSummary", "draw_lines", "generate"]
