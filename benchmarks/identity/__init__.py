"""What identity costs: the gate in front of MQTT, and the tokens of a thousand connectors."""
