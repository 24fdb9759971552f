"""The judgement: from a recorded run to numbers."""
