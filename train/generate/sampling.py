"""Options of text generation: length, temperature, top-k, top-p, seed and number of texts."""

from dataclasses import dataclass

from corpus.errors import UsageError


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """Options of generation; `temperature` 0 takes the likeliest token, `top_k` 0 and `top_p` 1 leave all in."""

    max_tokens: int = 100
    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 1.0
    seed: int = 0
    number: int = 1

    def __post_init__(self) -> None:
        wrong = [
            f"{name} must be {wanted}, not {value:g}"
            for name, value, fits, wanted in (
                ("max-tokens", self.max_tokens, self.max_tokens >= 1, "at least 1"),
                ("temperature", self.temperature, self.temperature >= 0, "at least 0"),
                ("top-k", self.top_k, self.top_k >= 0, "at least 0"),
                ("top-p", self.top_p, 0 < self.top_p <= 1, "above 0 and at most 1"),
                ("seed", self.seed, self.seed >= 0, "at least 0"),
                ("number", self.number, self.number >= 1, "at least 1"),
            )
            if not fits
        ]
        if wrong:
            raise UsageError(f"generate: {', '.join(wrong)}")
