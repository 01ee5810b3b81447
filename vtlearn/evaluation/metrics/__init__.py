"""What protocols count, as pure functions.

``similarity`` compares vectors so that equal ones tie; ``retrieval`` turns scores into ranks that
are exact under ties, and ranks into recall; ``tiled_ranks`` gets them from vectors, tile by tile;
``sequence_scores`` compares paragraphs with videos of several windows, and ``video_distances``
videos with each other; ``episodes`` draws some of these and asks for the class of others;
``step_recall`` counts steps that were found, ``split_recall`` averages over splits, and
``step_limits`` says how many are found by luck and at most; ``roc_auc`` how well a score tells two
kinds apart; ``bootstrap`` says how sure a figure is, and ``chance`` what a blind model would reach.

``ptb`` splits captions into words as the published scores do, and ``bleu``, ``rouge`` and
``cider`` compare them with references; ``ngrams`` counts for them, and ``meteor`` asks Java.
"""

from vtlearn.evaluation.metrics.bleu import BLEU, bleu_counts, bleu_of
from vtlearn.evaluation.metrics.bootstrap import RESAMPLES, Statistic, bootstrap_interval
from vtlearn.evaluation.metrics.chance import Chance, chance_of
from vtlearn.evaluation.metrics.cider import CIDEr, cider_d
from vtlearn.evaluation.metrics.episodes import draw_episodes, episode_accuracy
from vtlearn.evaluation.metrics.meteor import meteor, why_no_meteor
from vtlearn.evaluation.metrics.ptb import tokenize
from vtlearn.evaluation.metrics.retrieval import (
    Ranks,
    expected_rank,
    ranks,
    recall_at,
)
from vtlearn.evaluation.metrics.roc_auc import ROCAUC, roc_auc
from vtlearn.evaluation.metrics.rouge import ROUGEL, rouge_l
from vtlearn.evaluation.metrics.sequence_scores import SequenceScores, sequence_scores
from vtlearn.evaluation.metrics.similarity import Similarity, comparable, product
from vtlearn.evaluation.metrics.split_recall import SplitRecall
from vtlearn.evaluation.metrics.step_limits import StepLimits, TimedSteps, step_limits
from vtlearn.evaluation.metrics.step_recall import (
    StepCounts,
    StepRecall,
    count_steps,
    mean_over_groups,
)
from vtlearn.evaluation.metrics.tiled_ranks import DirectionRanks, vector_ranks
from vtlearn.evaluation.metrics.video_distances import (
    pooled_distances,
    video_distances,
)

__all__ = [
    "BLEU",
    "RESAMPLES",
    "ROCAUC",
    "ROUGEL",
    "CIDEr",
    "Chance",
    "DirectionRanks",
    "Ranks",
    "SequenceScores",
    "Similarity",
    "SplitRecall",
    "Statistic",
    "StepCounts",
    "StepLimits",
    "StepRecall",
    "TimedSteps",
    "bleu_counts",
    "bleu_of",
    "bootstrap_interval",
    "chance_of",
    "cider_d",
    "comparable",
    "count_steps",
    "draw_episodes",
    "episode_accuracy",
    "expected_rank",
    "mean_over_groups",
    "meteor",
    "pooled_distances",
    "product",
    "ranks",
    "recall_at",
    "roc_auc",
    "rouge_l",
    "sequence_scores",
    "step_limits",
    "tokenize",
    "vector_ranks",
    "video_distances",
    "why_no_meteor",
]
