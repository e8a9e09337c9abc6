"""The whole loop over a recording: serve, ask, watch for drift, retrain, judge and take up what is better."""
