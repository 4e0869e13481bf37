"""What a model's outputs on an evaluation set are worth: raw enough that any two runs can be paired later.

Arrays are packed to text by `edgeprof.stats.packed`; intervals are computed when asked, by `edgeprof.stats.paired`.
"""

from dataclasses import dataclass

HIGHER, LOWER = "higher", "lower"
# What `Score.values` holds: right or wrong for each sample, or the metric on each of many resamples of the set.
HITS, RESAMPLES = "hits", "resamples"
# JSON has no infinity: what stands for the error of an output that is no finite number.
BOUNDLESS = 3.4028234663852886e38
FLOAT_MODEL, HOST = "float_model", "host"


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one output on one evaluation set.

    Attributes:
        name: The metric with its unit, such as `top1_ratio`, `mae`.
        statistic: `share` of samples, `mean` over samples, `macro` over classes, or `value` of a user's function.
        better: `higher` or `lower`.
        kind: What `values` holds: `hits` (1 for each sample that counts, else 0) or `resamples` (the metric on each of
            1,000 resamples, which are the same for all runs on the same samples).
        point: The metric on the whole set.
        values: Packed, see `kind`.
        float_point: The float model's on the same samples, or `None`.
        float_values: Likewise.
    """

    name: str
    statistic: str
    better: str
    kind: str
    point: float
    values: str
    float_point: float | None = None
    float_values: str | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the device's outputs are from somebody else's on the same samples; needs no labels.

    Attributes:
        against: `float_model`, or `host`: the same file, run by LiteRT on the host.
        n_samples: Samples compared.
        n_agreed: Of these, how many have the same highest output; `None` where outputs are no classes.
        max_error: Largest difference of any output.
        mean_error: Mean absolute difference.
        sqnr_db: Signal to error in decibel; `None` where all outputs are equal.
        kl_nats: Mean Kullback-Leibler divergence from the other's outputs; `None` where they are no distributions.
    """

    against: str
    n_samples: int
    n_agreed: int | None
    max_error: float
    mean_error: float
    sqnr_db: float | None
    kl_nats: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One output of a model on one evaluation set, all of it run on the device.

    Attributes:
        data: The set's name: `eval`, or as the user named it.
        sha256: Hash of what it was read from.
        n_samples: Its samples.
        pairing: What it shares with sets of the same samples in the same order: their scores pair, sample by sample.
        output: The output's name; `None` where it is the only one.
        base: The set that this one was made from by a corruption, or `None`.
        scores: The headline first; none without labels.
        labels: Packed classes, or `None` where there are none.
        predicted: Packed, the highest output of each sample; −1 where one is no number.
        float_predicted: Likewise by the float model, or `None`.
        n_classes: How many there are, or `None`.
        agreements: With the float model and with the host, where there were outputs to compare with.
    """

    data: str
    sha256: str
    n_samples: int
    pairing: str
    output: str | None = None
    base: str | None = None
    scores: tuple[Score, ...] = ()
    labels: str | None = None
    predicted: str | None = None
    float_predicted: str | None = None
    n_classes: int | None = None
    agreements: tuple[Agreement, ...] = ()

    @property
    def title(self) -> str:
        """Return the set's name, with the output's where there are several."""
        return self.data if self.output is None else f"{self.data} ({self.output})"
