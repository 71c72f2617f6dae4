"""Settings for a retailer's own files, proposed from a look at their names and values.

:mod:`~basketwise.proposal.names` contains the names that columns have elsewhere,
:mod:`~basketwise.proposal.evidence` what the values say, :mod:`~basketwise.proposal.columns`
chooses by both, :mod:`~basketwise.proposal.settings` derives the settings, and
:mod:`~basketwise.proposal.proposing` puts a proposal together.
"""

from basketwise.proposal.proposing import propose
from basketwise.proposal.types import Match, Proposal, Question
from basketwise.proposal.writing import settings_text

__all__ = ["Match", "Proposal", "Question", "propose", "settings_text"]
