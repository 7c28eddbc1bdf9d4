"""The dashboards: their queries, and the files made of the code."""
