"""What each backend needs that does not read spans as the conventions say."""

from ._genai_dev import GENAI_DEV
from ._langfuse import LANGFUSE
from ._mlflow import MLFLOW
from ._phoenix import PHOENIX

__all__ = ["GENAI_DEV", "LANGFUSE", "MLFLOW", "PHOENIX"]
