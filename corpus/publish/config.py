"""The configuration of `publish`, and the words that its files share."""

from typing import Final, Literal

from corpus.config import GivenPath, StageConfig, runtime, setting
from corpus.licenses import Use, allows

STAGE: Final = "publish"
REVISION: Final = 1  # raise it when the same input gives other bytes

LicenseClass = Literal["commercial", "noncommercial", "other"]
CLASSES: Final[tuple[LicenseClass, ...]] = ("commercial", "noncommercial", "other")
# Each subset is some classes of files: no text is written twice.
SUBSETS: Final[dict[Use, tuple[LicenseClass, ...]]] = {
    "any": CLASSES,
    "open": ("commercial", "noncommercial"),
    "commercial": ("commercial",),
}
SUBSET_NAMES: Final[dict[Use, str]] = {"any": "all", "open": "open", "commercial": "commercial"}
PERSON: Final = "**[a person has to say this]**"
NLM: Final = (
    "Courtesy of the U.S. National Library of Medicine. This product uses publicly available data of the National "
    "Library of Medicine (NLM), National Institutes of Health, Department of Health and Human Services; NLM is not "
    "responsible for the product and does not endorse or recommend this or any other product. It does not reflect the "
    "most current and accurate data available from NLM."
)


class PublishConfig(StageConfig):
    """A corpus or an exported model to a folder for others."""

    format: Literal["hf", "jsonl.zst"] = setting(
        "hf", "of the texts: Parquet as Hugging Face loads it, or JSON lines", group="output"
    )
    license: Use = setting(
        "any", "leave out what this use of the licence does not allow", metavar="any|open|commercial"
    )
    title: str = setting("", "of the card; default: what it is made from")
    date: str = setting("", "of publication, for Croissant", metavar="YYYY-MM-DD", pattern=r"^(\d{4}-\d\d-\d\d)?$")
    creator: str = setting("", "person or organisation that publishes, for Croissant")
    url: str = setting("", "address of the published folder, for Croissant")
    model_license: str = setting("", "of a model, as the Hub names it: apache-2.0, …; a person chooses it")
    datasets: tuple[str, ...] = setting(
        (), "published data sets that a model was trained on", option="--dataset", metavar="ORG/NAME"
    )
    watts: float = setting(0.0, "power of all machines while a model was trained, for its energy", ge=0)
    records: GivenPath | None = runtime(
        None, "result of `corpuscle extract` that the corpus was made from, if it is not near", metavar="DIR"
    )


def class_of(license_name: str) -> LicenseClass:
    """Return the class of files that a text with this licence goes to."""
    if allows(license_name, "commercial"):
        return "commercial"
    return "noncommercial" if allows(license_name, "open") else "other"
