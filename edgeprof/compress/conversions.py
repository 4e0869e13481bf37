"""What a recipe asks of the converter, after its steps. No TensorFlow here."""

from dataclasses import asdict, dataclass
from typing import Any

from edgeprof.errors import UsageError
from edgeprof.names import did_you_mean

TYPES = ("fp32", "fp16", "dynamic", "int8", "int16x8", "mixed")
BITS = ("int4", "int8", "int16", "float")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """How a Keras model becomes a `.tflite`.

    Attributes:
        type: `fp32`, `fp16`, `dynamic`, `int8`, `int16x8`, or `mixed` by litert-quantizer, which LiteRT alone runs.
        per_channel: A scale for each output channel of a convolution instead of one a tensor.
        leave_float: Names of layers to leave in floating point (int8 only).
        percentile: How many percent of an activation's values its int8 range holds; 100 is from least to greatest.
        weights: Of `mixed`: `int4` or `int8`.
        activations: Of `mixed`: `int8`, `int16`, or `float` for weights only.
        int8_layers: Of `mixed`: layers whose weights stay int8: regular expressions of tensor names.
    """

    type: str = "fp32"
    per_channel: bool = True
    leave_float: tuple[str, ...] = ()
    percentile: float = 100.0
    weights: str = "int8"
    activations: str = "int8"
    int8_layers: tuple[str, ...] = ()

    @property
    def calibrated(self) -> bool:
        """It needs representative data."""
        return self.type in ("int8", "int16x8") or (self.type == "mixed" and self.activations != "float")

    @property
    def integer_io(self) -> bool:
        """Its inputs and outputs become int8 unless the user wants floats."""
        return self.type == "int8"

    @property
    def litert_only(self) -> bool:
        """Runtimes older than LiteRT refuse the file or compute something else."""
        return self.type == "mixed"

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            UsageError: Names the value and what it may be.
        """
        for name, known in (("type", TYPES), ("weights", BITS[:2]), ("activations", BITS[1:])):
            value = getattr(self, name)
            if value not in known:
                hint = f"{did_you_mean(value, known)}known: {', '.join(known)}"
                raise UsageError(f"`{name} = {value!r}` of the conversion is unknown", hint)
        if not 90 <= self.percentile <= 100:
            raise UsageError(f"`percentile = {self.percentile}` is out of range", "from 90 to 100")
        if self.type != "int8" and (self.leave_float or self.percentile != 100):
            raise UsageError(f"`leave_float` and `percentile` have no meaning for {self.type}", "they are for int8")

    def fields(self) -> dict[str, Any]:
        """Return its settings, as JSON and TOML have them."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}
