"""What is said of a service and its data, in every format, and how the data is looked at."""
