"""What the gate's rules ``champion`` and ``memory`` do: ``python -m benchmarks.gate``.

Customers have five baskets each. A basket is wrong where a normal variable, of whose variance the
customer has a fifth, falls below the quantile of the error; the variables of two models correlate
by 0.7. The champion's true accuracy is 0.90, the margin 0.01, both by default. Three tables:

- the share of challengers that are approved, and in brackets of those that the gate cannot tell,
  by test baskets and by their true difference to the champion;
- the ratchet: each week's challenger is a little worse than the champion of that week, and judged
  on test baskets of that week;
- looks: 52 challengers, of accuracies around 0.90, are judged one after the other on the same test
  baskets.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from scipy.special import ndtri

from basketwise.arrays import Floats, Labels
from basketwise.config import GateConfig
from basketwise.evaluation.champion import Scored
from basketwise.evaluation.gate import Decision, Evidence, decide, memory_confidence
from basketwise.evaluation.intervals import Bootstrap, Resampled, resample
from basketwise.evaluation.summary import expected_maximum
from basketwise.registry.memory import LEAD_HIGH, LEAD_LOW, LEAD_OVER, best_first
from basketwise.registry.protocol import ApprovalState, ModelVersion
from basketwise.report.types.scores import Interval
from benchmarks.coverage import CLASS_SHARES, CORRELATION, answers
from benchmarks.measuring import table

BASKETS, RHO = 5, 0.2
CONFIG = GateConfig(min_accuracy=0, min_macro_f1=0)
CERTAIN = Interval(estimate=1, low=1, high=1)
DIFFERENCES = (0.01, 0.0, -0.005, -0.01, -0.015, -0.02, -0.03)
SIZES = (300, 2_500, 15_000)


@dataclass(frozen=True, eq=False)
class Block:
    """Test baskets: their classes, customers, and what all models have in common on them."""

    true: Labels
    units: np.ndarray[tuple[int], np.dtype[np.int64]]
    common: Floats

    @classmethod
    def drawn(cls, baskets: int, rng: np.random.Generator) -> Block:
        """Draw so many baskets."""
        customers = baskets // BASKETS
        true = rng.choice(3, customers * BASKETS, p=CLASS_SHARES).astype(np.int8)
        return cls(true, np.repeat(np.arange(customers), BASKETS), _latent(customers, rng))

    def predicted(self, accuracy: float, rng: np.random.Generator) -> Labels:
        """Draw the answers of a model of that accuracy."""
        own = _latent(self.true.size // BASKETS, rng)
        latent = self.common * np.sqrt(CORRELATION) + own * np.sqrt(1 - CORRELATION)
        return answers(self.true, latent < ndtri(1 - accuracy), rng)

    def resampled(self, models: dict[str, Labels], resamples: int, seed: int) -> Resampled:
        """Resample some models' answers."""
        return resample(self.true, models, self.units, Bootstrap(resamples, 0.95, seed))


def _latent(customers: int, rng: np.random.Generator) -> Floats:
    own = rng.standard_normal((customers, 1)) * np.sqrt(RHO)
    single = rng.standard_normal((customers, BASKETS)) * np.sqrt(1 - RHO)
    return np.asarray((own + single).ravel())


def judge(block: Block, champion: Interval, best: Interval | None = None) -> Decision:
    """Return the gate's decision by the leads over the champion and the best of memory."""
    nobody = np.zeros(0, dtype=np.int8)
    evidence = Evidence(
        accuracy=CERTAIN,
        macro_f1=CERTAIN,
        confidence=0.95,
        champion=Scored("champion", nobody),
        difference=champion,
        test_baskets=block.true.size,
        lines_read=1,
        lines_rejected=0,
        best=Scored("best", nobody) if best else None,
        best_difference=best,
    )
    return decide(evidence, CONFIG)


def shares(baskets: int, difference: float, trials: int, resamples: int) -> tuple[float, float]:
    """Return the shares of challengers that are approved, and that the gate cannot tell."""
    decisions = []
    for trial in range(trials):
        rng = np.random.default_rng((baskets, trial))
        block = Block.drawn(baskets, rng)
        models = {
            "champion": block.predicted(0.9, rng),
            "challenger": block.predicted(0.9 + difference, rng),
        }
        resampled = block.resampled(models, resamples, trial)
        decisions.append(judge(block, resampled.accuracy_difference("challenger", "champion")))
    return (
        float(np.mean([decision.approved for decision in decisions])),
        float(np.mean([decision.undecided for decision in decisions])),
    )


def ratchet(loss: float, baskets: int, weeks: int, resamples: int, seed: int) -> tuple[float, int]:
    """Return the last champion's true accuracy, from 0.95, and how many were approved."""
    rng = np.random.default_rng((seed, 7))
    truth = {"1": 0.95}
    versions = [_approved("1", {}, {})]
    for week in range(weeks):
        block, number = Block.drawn(baskets, rng), str(week + 2)
        champion = versions[0].version
        best = best_first(versions, CONFIG.memory)[0].version
        truth[number] = truth[champion] - loss
        names = {number, champion, best}
        models = {name: block.predicted(truth[name], rng) for name in sorted(names)}
        resampled = block.resampled(models, resamples, week)
        lead = resampled.accuracy_difference(number, champion)
        surer = resampled.at(memory_confidence(0.95))
        best_lead = surer.accuracy_difference(number, best) if best != champion else None
        if judge(block, lead, best_lead).approved:
            # As in the report, at the ordinary confidence.
            recorded = resampled.accuracy_difference(number, best)
            ends = {LEAD_LOW: recorded["low"], LEAD_HIGH: recorded["high"]}
            versions.insert(0, _approved(number, {LEAD_OVER: best}, ends))
    return truth[versions[0].version], len(versions) - 1


def looks(baskets: int, number: int, resamples: int, seed: int) -> tuple[float, float]:
    """Return by how much the last champion's accuracy is too high, and what the report says."""
    rng = np.random.default_rng((seed, 9))
    block = Block.drawn(baskets, rng)
    truth, champion = 0.9, block.predicted(0.9, rng)
    error = 0.0
    for look in range(number):
        accuracy = rng.normal(0.9, 0.01)
        challenger = block.predicted(accuracy, rng)
        resampled = block.resampled({"a": challenger, "b": champion}, resamples, look)
        lead = resampled.accuracy_difference("a", "b")
        error = (lead["high"] - lead["low"]) / 2 / float(ndtri(0.975)) / np.sqrt(2)
        if judge(block, lead).approved:
            truth, champion = accuracy, challenger
    shown = float((champion == block.true).mean())
    return shown - truth, error * expected_maximum(number)


def _approved(number: str, tags: dict[str, str], metrics: dict[str, float]) -> ModelVersion:
    return ModelVersion(
        version=number,
        run_id="",
        state=ApprovalState.APPROVED,
        created_at=datetime(2020, 1, 1, tzinfo=UTC),
        sha256="",
        uri="",
        model_data_url="",
        description="",
        metrics=metrics,
        tags=tags,
        champion=False,
    )


def shares_table(trials: int, resamples: int, sizes: Sequence[int] = SIZES) -> str:
    """Return the operating characteristics."""
    rows = []
    for baskets in sizes:
        measured = [shares(baskets, by, trials, resamples) for by in DIFFERENCES]
        rows.append((f"{baskets:,}", *(f"{yes:.3f} ({unsure:.2f})" for yes, unsure in measured)))
    return table(("test baskets", *(f"{100 * by:+g}" for by in DIFFERENCES)), rows)


def ratchet_table(repeats: int, resamples: int, weeks: int = 26) -> str:
    """Return where the ratchet ends."""
    rows = []
    for loss in (0.002, 0.004):
        for baskets in (2_500, 15_000):
            ends = [ratchet(loss, baskets, weeks, resamples, seed) for seed in range(repeats)]
            lost, approved = np.array([(0.95 - end, number) for end, number in ends]).T
            beyond = (lost > CONFIG.champion_margin + 1e-9).mean()
            rows.append(
                (
                    f"{100 * loss:g}",
                    f"{baskets:,}",
                    f"{approved.mean():.1f}",
                    f"{100 * lost.mean():.2f}",
                    f"{100 * lost.max():.2f}",
                    f"{beyond:.3f}",
                )
            )
    header = ("points worse each week", "test baskets", "approved", "lost", "most", "> margin")
    return table(header, rows)


def looks_table(repeats: int, resamples: int, number: int = 52) -> str:
    """Return what looking at the same test baskets again and again is worth."""
    rows = []
    for baskets in (900, 15_000):
        pairs = [looks(baskets, number, resamples, seed) for seed in range(repeats)]
        excess, stated = 100 * np.mean(pairs, axis=0)
        rows.append((f"{baskets:,}", f"{excess:.2f}", f"{stated:.2f}"))
    return table(("test baskets", f"too high after {number} looks", "the report says"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=40, help="ratchets, and blocks looked at")
    parser.add_argument("--resamples", type=int, default=500)
    given = parser.parse_args()
    print(shares_table(given.trials, given.resamples), flush=True)
    print(f"\n{ratchet_table(given.repeats, given.resamples)}", flush=True)
    print(f"\n{looks_table(given.repeats, given.resamples)}")


if __name__ == "__main__":
    main()
