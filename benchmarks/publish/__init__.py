"""What it costs to publish a city's data."""
