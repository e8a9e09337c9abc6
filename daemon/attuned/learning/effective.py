"""How much a room's labels are worth: windows next to each other say almost the same."""

import numpy as np
import numpy.typing as npt

DAY_S = 86_400

# Labels further apart were not chosen to show a change, and say nothing more together than their day does.
NEAR_S = 3600


def effective_labels(ends_s: npt.NDArray[np.int64], classes: npt.NDArray[np.int8]) -> int:
    """Labels that count as independent: one for each day (of UTC) with a label, and one for each change seen.

    ends_s int64 [n] ascending and classes int8 [n] of the labelled windows. A change is seen where two labels in turn
    differ and lie at most an hour apart.
    """
    changes = (np.diff(classes) != 0) & (np.diff(ends_s) <= NEAR_S)
    return len(np.unique(ends_s // DAY_S)) + int(np.sum(changes))
