"""What the gate says of a release, as it is stored."""

import json


def better_report(negative: int, positive: int) -> str:
    """Better than the factory's; of 4,000 windows so many differ, for the worse and for the better."""
    flips = {"negative": negative, "positive": positive, "negative_runs": 1, "positive_runs": 9, "p": 0.01}
    every = {"name": "all", "days": 6, "windows": 4000, "both": True, "measures": []}
    findings = {"days": 6, "changes": 20, "slices": [every], "flips": flips}
    verdict = {"word": "better", "recommendation": "", "reasons": []}
    return json.dumps({"against": "factory", "findings": findings, "verdict": verdict})
