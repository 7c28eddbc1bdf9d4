"""What it costs to publish a city's data: for now, the live map."""
