"""What a run hands over: the report on it, and a package that runs on its own."""
