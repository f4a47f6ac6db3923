"""Making candidates: each step works on a copy, and its result is checked before anyone sees it."""
