"""What a room's labels say of its filter, its nodes and itself: dwell times, trust and calibration in one go."""

from collections.abc import Mapping, Sequence

from attune_core import Filter

from attuned.learning.calibration import learn_calibration
from attuned.learning.copies import find_copies
from attuned.learning.dwell import learn_dwell
from attuned.learning.effective import effective_labels
from attuned.learning.fusion import learn_trust
from attuned.learning.record import UNLABELLED, RoomRecord, filtered, fused, run_filter, weighed
from attuned.presence.model import RoomModel
from attuned.presence.weights import kind_weights


def learn_room(record: RoomRecord, sensors: Mapping[str, Sequence[str]], step_s: int) -> RoomModel:
    """The room's model from its labels; what nothing was said of stays at its default.

    Each labelled window's evidence has to come from heads that had not learned it: nobody is calibrated on answers that
    he knew. `sensors` are each node's sensor kinds, step_s the seconds of one step of the room's filter.
    """
    judged = (record.labels != UNLABELLED) & record.heard
    if not judged.any():
        return RoomModel()
    ends_s, classes = record.ends_s[judged], record.labels[judged]
    occupied, effective = classes == 1, effective_labels(ends_s, classes)
    model = RoomModel(dwell_s=learn_dwell(ends_s, classes), copies=find_copies(record))
    steady = Filter(2, step_s, "float64", model.dwell_s)
    by_kind = weighed(record, sensors, model, steady.limit)[judged]
    weights = kind_weights({node: sensors[node] for node in record.nodes}, model.copies)
    factors = learn_trust(by_kind, occupied, [weights.get(node, 1.0) for node in record.nodes], effective)
    trust = {node: round(float(factor), 4) for node, factor in zip(record.nodes, factors, strict=True)}
    model = model.model_copy(update={"trust": trust})
    nats = fused(record, sensors, model, steady.limit)
    log_odds = filtered(record, nats, step_s, run_filter(step_s, model.dwell_s))
    calibration = learn_calibration(log_odds[judged], occupied, steady.log_odds(), effective)
    return model.model_copy(update={"calibration": calibration})
