"""Looking at a model before anything is done to it: admission, inspection, and the measured baseline."""
